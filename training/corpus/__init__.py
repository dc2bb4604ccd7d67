"""Training data: segments of the corpus, their codes, and the same segments decoded."""
