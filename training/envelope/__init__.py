"""Training of the predictor of envelope corrections, and of the post-filter."""
