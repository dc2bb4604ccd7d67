"""The trainer of Encoder, quantiser and Decoder: its steps, its state and its runs."""
