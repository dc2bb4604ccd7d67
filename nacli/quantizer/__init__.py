"""Residual vector quantisation of latents, and how many stages each frame keeps."""
