"""The spectral envelope: coded corrections, their prediction, and the post-filter."""
