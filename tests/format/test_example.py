"""The example of FORMAT.md is a file that reads as it says."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files

from nacli.format import (
    EndRecord,
    Packet,
)
from small_stream import HEADER, PACKETS, pack_file, parse


def test_the_example_of_the_documentation_is_a_file() -> None:
    text = (files("nacli.format") / "FORMAT.md").read_text()
    block = re.search(r"```hex\n(.*?)```", text, re.DOTALL)
    assert block
    example = bytes.fromhex("".join(line[:47] for line in block[1].splitlines()))
    packets = [PACKETS[0], Packet(1, 1, (5,), b"\x44")]
    parts = replace(HEADER, tags=("TITLE=Hi",)), packets, EndRecord(800, 2, b"checksum")
    assert parse(example) == [parts[0], *packets, parts[2]]
    assert pack_file(*parts) == example
