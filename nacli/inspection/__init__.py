"""The properties of .nac files, and how their bits are divided."""
