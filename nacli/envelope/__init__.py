"""The spectral envelope: coded corrections, their prediction, and the filter that applies them."""
