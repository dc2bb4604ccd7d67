"""Residual vector quantisation of latents, and the allocation of its stages to frames."""
