"""Signal processing without learned parts, which the encoder and the decoder share."""
