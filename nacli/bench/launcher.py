"""Run a command and write its cost to a file: `python launcher.py COST TIMEOUT COMMAND...`.

Linux counts the memory of the process that starts a command as part of the command's peak. So a
small process of some ten megabytes starts it, which uses the standard library only.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time


def main() -> int:
    """Run the command and return its exit status. It inherits stdout and stderr."""
    cost_file, timeout, *command = sys.argv[1:]
    began = time.perf_counter()
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, timeout=float(timeout), check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    wall = time.perf_counter() - began
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    kib = usage.ru_maxrss if sys.platform != "darwin" else usage.ru_maxrss // 1024
    cost = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak": 1024 * kib}
    with open(cost_file, "w") as file:
        json.dump(cost, file)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
