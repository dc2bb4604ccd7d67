"""The command `nacli`. Each command is imported when it is used, and imports what it needs when it
runs, so that help is instant."""

from __future__ import annotations

import gc
import os
import sys

# The threads of BLAS and OpenMP spend more time waiting for each other than on our small matrix
# products, and spin meanwhile. NumPy and torch read these settings when they are imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Modules are many objects that last as long as the command. Python would look through them for
# garbage again and again while they are made.
gc.set_threshold(100_000)

from nacli.cli.group import main  # noqa: E402

# Threads that compute many small matrix products (see nacli.prefetch) take turns often; with
# Python's default interval of 5 ms, they wait for each other.
sys.setswitchinterval(2e-4)

__all__ = ["main"]
