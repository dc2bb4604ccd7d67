"""Training of the envelope corrections: predictor, codebooks and tables."""
