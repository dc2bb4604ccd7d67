"""Benchmarks: nacli and its peers on the same clips, a regression gate for CI, and a report."""
