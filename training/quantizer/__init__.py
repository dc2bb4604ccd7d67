"""Residual vector quantisers whose codebooks are moving averages."""
