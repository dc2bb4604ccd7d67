"""Training of the Decoder alone, on the codes of a frozen Encoder, with or without discriminators."""
