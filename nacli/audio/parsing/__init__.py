"""Container formats: where the samples of a file are, and how many its headers promise."""
