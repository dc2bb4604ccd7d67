"""Damage anywhere in a file costs no more than the records that it hits."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from nacli.errors import DamagedHeader, NacliError, NotNac
from nacli.format import (
    JOINED,
    ChannelMode,
    Damage,
    Event,
    Header,
    Packet,
    Parser,
    pack_header,
    pack_packet,
)
from nacli.format.header import (
    MAGIC,
)
from nacli.format.records import MAX_FRAMES, MAX_PAYLOAD_BYTES
from nacli.format.wire import pack_varint
from small_stream import END, FILE, HEADER, PACKETS, STARTS, STREAM, parse


def owner(offset: int) -> int:
    """Index of the packet that holds the byte at `offset`; past the last: the end record."""
    return sum(start <= offset for start in STARTS) - 1


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_costs_no_more_than_its_record(mask: int) -> None:
    for at in range(len(FILE)):
        damaged = bytearray(FILE)
        damaged[at] ^= mask
        if at < STARTS[0]:
            with pytest.raises(NacliError):
                parse(bytes(damaged))
            continue
        records: list[Event] = [HEADER, *PACKETS, END]
        lost = owner(at) + 1
        events = parse(bytes(damaged))
        assert [e for e in events if not isinstance(e, Damage)] == records[:lost] + records[
            lost + 1 :
        ]
        damage = next(e for e in events if isinstance(e, Damage))
        assert damage.offset == STARTS[lost - 1]
        assert damage.offset + damage.length == [*STARTS, len(FILE)][lost]


def test_a_truncated_file_keeps_its_whole_packets() -> None:
    for length in range(len(FILE)):
        if length < STARTS[0]:
            with pytest.raises(NotNac if length < len(MAGIC) else DamagedHeader):
                parse(FILE[:length])
            continue
        whole = owner(length)
        events = parse(FILE[:length])
        assert events[: whole + 1] == [HEADER, *PACKETS[:whole]]
        assert events[-1] == Damage(length, 0, "the end record is missing")
        tail = length - STARTS[whole]
        expected = [Damage(STARTS[whole], tail, "the file ends inside a packet")] if tail else []
        assert events[whole + 1 : -1] == expected


def test_a_run_of_damage_is_one_event() -> None:
    damaged = FILE[: STARTS[1]] + bytes(1000) + FILE[STARTS[1] :]
    damage = Damage(STARTS[1], 1000, "no packet starts here")
    assert parse(damaged) == [HEADER, PACKETS[0], damage, *PACKETS[1:], END]


def test_data_after_the_end_is_one_event() -> None:
    rest = FILE[1:]
    expected = [HEADER, *PACKETS, END, Damage(len(FILE), len(rest), "data after the end record")]
    assert parse(FILE + rest) == expected
    assert parse(FILE + rest, *range(len(FILE) + len(rest))) == expected


def test_a_file_that_was_put_behind_another_is_left_alone() -> None:
    """Also where the first was cut: none of the second's packets is taken for one of its own."""
    joined = Damage(len(FILE), len(FILE), JOINED)
    assert parse(FILE + FILE) == [HEADER, *PACKETS, END, joined]
    assert parse(FILE + FILE, *range(2 * len(FILE))) == [HEADER, *PACKETS, END, joined]
    cut = FILE[: STARTS[1] + 5]
    broken, joined, end = expected = [
        Damage(STARTS[1], 5, "CRC mismatch"),
        Damage(len(cut), len(FILE), JOINED),
        Damage(len(cut) + len(FILE), 0, "the end record is missing"),
    ]
    found = parse(cut + FILE)
    assert [type(event) for event in found[:2]] == [Header, Packet]
    assert [(d.offset, d.length) for d in found[2:] if isinstance(d, Damage)] == [
        (d.offset, d.length) for d in expected
    ]
    assert found[3:] == [joined, end] and broken.length == 5
    assert parse(cut + FILE, *range(len(cut) + len(FILE))) == found


def test_a_broken_length_does_not_hold_a_live_reader_up() -> None:
    parser = Parser()
    list(parser.feed(pack_header(HEADER)))
    packet = bytearray(pack_packet(Packet(0, 2, (0,), bytes(64)), 2))
    packet[5:6] = pack_varint(STREAM.payload_limit(2))
    good = pack_packet(PACKETS[0], 2)
    events = [e for _ in range(20) for e in parser.feed(bytes(packet) + good)]
    assert events.count(PACKETS[0]) >= 16


def test_false_starts_take_linear_time() -> None:
    stream = replace(STREAM, channels=8, channel_mode=ChannelMode.INDEPENDENT, stages=64)
    wide = replace(HEADER, stream=replace(stream, frames_per_packet=MAX_FRAMES))
    false = b"\xac\xe0\x00\x00" + bytes(8) + pack_varint(MAX_PAYLOAD_BYTES)
    started = time.process_time()
    events = parse(pack_header(wide) + false * (3 * MAX_PAYLOAD_BYTES // 2 // len(false)))
    assert [type(event) for event in events] == [Header, Damage, Damage]
    assert time.process_time() - started < 10
