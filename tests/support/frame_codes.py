"""The codes of the frames of a .nac file, with which tests compare files."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacli.decoder.payload_reader import read_codes
from nacli.format import Header, Packet, Parser


def frame_codes(data: bytes, model: Any) -> list[Any]:
    """Return the gain and the codes of every frame of a file."""
    parser = Parser()
    header, *events = [*parser.feed(data), *parser.finish()]
    assert isinstance(header, Header)
    rows: list[Any] = []
    for packet in (event for event in events if isinstance(event, Packet)):
        for channel in read_codes(packet, header.stream, model).channels:
            rows += list(np.concatenate([channel.gains[:, None], channel.codes], axis=1))
    return rows
