"""Training of the envelope corrections: prediction, codebooks and tables."""
