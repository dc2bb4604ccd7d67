"""What `scripts/train.py` is made of: corpus sampling, quantiser with moving averages, losses."""
