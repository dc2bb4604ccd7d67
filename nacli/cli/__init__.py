"""The command `nacli`. Commands import what they need when they run, so that help is instant."""

from __future__ import annotations

from nacli.cli.bench import bench
from nacli.cli.commands import decode, encode, info
from nacli.cli.group import main

for command in (encode, decode, info, bench):
    main.add_command(command)

__all__ = ["main"]
