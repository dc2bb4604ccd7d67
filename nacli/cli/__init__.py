"""The command `nacli`. Commands import what they need when they run, so that help is instant."""

from __future__ import annotations

import os
import sys

# Threads inside small products wait for each other longer than they work, and spin while they wait.
# This has to be said before NumPy and torch are imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from nacli.cli.bench import bench
from nacli.cli.commands import decode, encode
from nacli.cli.group import main
from nacli.cli.inspection import check, info

# Threads that all make many small products (see nacli.prefetch) want the interpreter back soon: with
# Python's 5 ms, they wait for each other.
sys.setswitchinterval(2e-4)

for command in (encode, decode, info, check, bench):
    main.add_command(command)

__all__ = ["main"]
