"""Training of the entropy model, and counting of the static tables."""
