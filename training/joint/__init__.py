"""Joint training of Encoder, quantiser and Decoder."""
