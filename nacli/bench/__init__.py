"""Measuring: nacli and its peers on the same clips, a gate for CI, a report with pictures."""
