"""Sizes of the adaptive filter that its trained weights depend on."""

from __future__ import annotations

from nacli.timing import ADAPTIVE_FILTER_DELAY

HOP = 320
"""Samples of a hop at 24 kHz, and of a window of the filter."""
HALF = HOP // 2
"""Samples between two windows, and between two positions with periods: 6.7 ms."""
DELAY = ADAPTIVE_FILTER_DELAY
"""Hops that the output of the filter is late: a window uses sound up to two periods after it."""
AFTER, MOST_BEFORE = 2, 4
"""Periods after a window that the comb filter uses, and the most that it may use before one."""
REACH = DELAY + 6
"""Hops of past sound that a window uses: the delay, and four of the longest periods."""
NEIGHBOURS = 4
"""Windows before and after one whose levels and features the network sees."""
LEVEL_WINDOWS = 16
"""Windows before one, beside NEIGHBOURS after it, whose mean energy its levels are relative to."""
STEPS = 8
"""Parts of a half hop whose energies the network sees."""
ENERGY_OFFSET = 1e-9
"""Energy that is added before a logarithm is taken, so that silence has a finite one."""
OTHER_INPUTS = 4 * STEPS + 5
"""Inputs of the network beside levels, features and correlations."""
