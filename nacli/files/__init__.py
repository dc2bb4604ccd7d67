"""Inputs in blocks, live pipes, and outputs that appear whole or not at all."""
