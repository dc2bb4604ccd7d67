"""Spectral-envelope corrections: their coding, the predictor, and the post-filter."""
