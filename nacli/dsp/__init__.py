"""Signal processing without learning, which encoder and decoder share."""
