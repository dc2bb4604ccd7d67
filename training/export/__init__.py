"""Export of training states as checkpoints."""
