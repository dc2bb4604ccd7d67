"""Ablation: one design against the others, trained for the same time and measured alike."""
