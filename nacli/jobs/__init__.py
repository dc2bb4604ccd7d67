"""Conversions of files: one, or batches in worker processes, each verified if asked."""
