"""Training of the Decoder alone, on codes of a frozen Encoder, against discriminators if wanted."""
