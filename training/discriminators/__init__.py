"""Discriminators: networks that tell original from decoded sound by their spectra."""
