"""Conversions of files: one at a time, or batches in worker processes, verified if asked."""
