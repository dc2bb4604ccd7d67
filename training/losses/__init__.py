"""Reconstruction losses, adversarial losses, and the balance of their gradients."""
