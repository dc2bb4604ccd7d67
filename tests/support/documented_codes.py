"""A decoder written from FORMAT.md alone, first half: the bytes of a file to its codes.

It imports nothing of nacli. It is slow, and reads only intact files.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from itertools import chain

import numpy as np

from documented_model import Array, ModelFile

DITHER = (0, 4, 2, 6, 1, 5, 3, 7)
FULL = 1 << 24


class Bytes:
    """Reads fields in order."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def check(self, start: int) -> None:
        """Check the CRC of a record that began at `start`."""
        crc = zlib.crc32(self.data[start : self.at])
        assert int.from_bytes(self.take(4), "little") == crc


class Ans:
    """The entropy coder."""

    def __init__(self, payload: bytes) -> None:
        words = np.frombuffer(payload + bytes(-len(payload) % 4), "<u4")
        self.words, self.state = words.tolist(), 0
        while self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()

    def pop(self, row: Array) -> int:
        quantile = self.state % FULL
        ends = np.cumsum(row)
        symbol = int(np.searchsorted(ends, quantile, side="right"))
        own = int(row[symbol])
        self.state = (self.state >> 24) * own + quantile - (int(ends[symbol]) - own)
        if self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()
        return symbol


@dataclass
class Channel:
    """The codes of one channel of a packet."""

    gains: list[int]
    counts: list[int]
    codes: list[list[int]]
    corrections: list[list[int]]
    levels: list[list[int]] | None = None


@dataclass
class Recording:
    """The contents of a file."""

    sample_rate: int
    channels: int
    mode: int
    samples: int
    packets: list[list[Channel]]
    angles: list[list[int]]


def read_file(data: bytes, model: ModelFile) -> Recording:
    """Read a whole file, and check all its digests."""
    reader, sections = Bytes(data), {}
    assert reader.take(5) == b"\x8fnac\x05"
    while tag := reader.take(1)[0]:
        sections[tag] = reader.take(reader.varint())
    reader.check(0)
    codebooks, entropy = model.table_digests()
    assert (sections[2], sections[3], sections[4]) == (
        model.digest,
        b"\0" + codebooks,
        b"\x10" + entropy,
    )
    stream = Bytes(sections[1])
    rate, channels, modes = stream.varint(), stream.take(1)[0], stream.take(1)[0]
    stream.varint()
    hop, per_packet, stages = stream.varint(), stream.varint(), stream.take(1)[0]
    packets: list[list[Channel]] = []
    angles: list[list[int]] = []
    count = (1 + (rate > 24000)) * (modes & 15 == 1)
    check = hashlib.sha256()
    while True:
        start, sync = reader.at, int.from_bytes(reader.take(2), "big")
        if sync == 0xACF0:
            break
        assert int.from_bytes(reader.take(2), "little") == len(packets) % 65536
        frames = reader.varint() if sync & 1 else per_packet
        allocation = list(reader.take(channels))
        payload = reader.take(reader.varint())
        reader.check(start)
        coder = Ans(payload)
        angles.append([coder.pop(angle_row()) for _ in range(count)])
        packets.append(read_payload(coder, frames, allocation, stages, rate > 24000, model))
        check.update(bytes(angles[-1]))
        for channel in packets[-1]:
            check.update(bytes(channel.gains) + bytes(channel.counts))
            for code in chain(*channel.codes, *channel.corrections):
                check.update(struct.pack("<H", code))
            check.update(bytes(chain(*channel.levels or [])))
    samples = reader.varint()
    assert reader.varint() == len(packets)
    assert reader.take(8) == check.digest()[:8]
    hops = -(-samples * 24000 // (rate * hop))
    assert sum(len(packet[0].gains) for packet in packets) == hops + 1
    return Recording(rate, channels, modes & 15, samples, packets, angles)


def angle_row() -> Array:
    """Return the frequencies of angles."""
    row = np.full(256, 1 << 14)
    row[32], row[0], row[64] = 643 << 14, 1 << 20, 1 << 20
    return row


def read_payload(
    coder: Ans, frames: int, allocation: list[int], stages: int, high: bool, model: ModelFile
) -> list[Channel]:
    """Decode the symbols of a payload after the angles."""
    channels, gain_table = [], model["entropy.gains"]
    for _ in allocation:
        gains, before = [], 81
        for _ in range(frames):
            before = coder.pop(gain_table[before])
            gains.append(before)
        channels.append(Channel(gains, [], [], []))
    peak = max(max(channel.gains) for channel in channels)
    for channel, level in zip(channels, allocation, strict=True):
        for f, gain in enumerate(channel.gains):
            count = (level + DITHER[f % 8] - 2 * (peak - gain)) // 8
            least = 1 if level >= 8 and peak - gain < 24 else 0
            channel.counts.append(min(max(count, least), stages) if gain else 0)
    for channel in channels:
        channel.codes = LearnedCodes(model, channel).read(coder)
    for channel in channels:
        channel.corrections = _read_corrections(coder, channel, model)
    for channel in channels if high else ():
        channel.levels = _read_levels(coder, channel, model)
    return channels


def _read_corrections(coder: Ans, channel: Channel, model: ModelFile) -> list[list[int]]:
    numbers, table = model["entropy.correction_numbers"], model["entropy.corrections"]
    a = b = 0
    spans: list[list[int]] = []
    frames = (
        1
        if max(channel.counts) >= model.config["correction_fine"]
        else model.config["correction_frames"]
    )
    for _ in range(-(-len(channel.counts) // frames)):
        n = coder.pop(numbers[a * numbers.shape[1] + b])
        spans.append([coder.pop(table[n * (n - 1) // 2 + i]) for i in range(n)])
        a, b = n, a
    return spans


def high_span(counts: list[int]) -> int:
    """Return the frames of a span of the high band."""
    return 2 if max(counts) >= 9 else 4 if max(counts) >= 5 else 8


def _read_levels(coder: Ans, channel: Channel, model: ModelFile) -> list[list[int]]:
    table = model["entropy.high"]
    bands = coder.pop(model["entropy.high_numbers"][0])
    spans: list[list[int]] = []
    for span in range(-(-len(channel.counts) // high_span(channel.counts))):
        levels: list[int] = []
        d = 0
        for band in range(bands):
            if span:
                row = 4 + (d > 0) - (d < 0) if band else 2
                reference = spans[-1][band]
            else:
                row, reference = (1, levels[-1]) if band else (0, 0)
            d = coder.pop(table[row]) - 39
            levels.append(reference + d)
            assert 0 <= levels[-1] <= 39
        spans.append(levels)
    return spans


class LearnedCodes:
    """The learned entropy model, for one channel of a packet."""

    def __init__(self, model: ModelFile, channel: Channel) -> None:
        prefix = "entropy.learned."
        self.t = {
            name.removeprefix(prefix): model[name]
            for name in model.tensors
            if name.startswith(prefix)
        }
        self.entries, self.channel = model["codebooks.entries"], channel
        self.frames, dimensions = len(channel.gains), self.entries.shape[2]
        self.sums = np.zeros((self.frames, dimensions), dtype=np.int64)
        self.codes: list[list[int]] = [[] for _ in range(self.frames)]

    def read(self, coder: Ans) -> list[list[int]]:
        """Decode the codes of all frames."""
        ranks, counts = self.t["ranks"], self.channel.counts
        for rank in sorted(set(ranks.tolist())):
            group = [f for f in range(self.frames) if ranks[f % len(ranks)] == rank]
            inputs = {f: self._frame_inputs(f) for f in group}
            for stage in range(max(counts)):
                for f in group:
                    if counts[f] > stage:
                        code = coder.pop(self._frequencies(f, stage, inputs[f]))
                        self.codes[f].append(code)
                        vector = self.t["multipliers"][stage] * self.entries[stage, code]
                        self.sums[f] += vector
        return self.codes

    def _sum_input(self, f: int) -> Array:
        return np.clip((self.sums[f] + 128) >> 8, -127, 127)

    def _frame_inputs(self, f: int) -> Array:
        ranks, gains, counts = self.t["ranks"], self.channel.gains, self.channel.counts
        period, parts = len(ranks), []
        for o in self.t["offsets"].tolist():
            known = 0 <= f + o < self.frames and ranks[(f + o) % period] < ranks[f % period]
            parts.append(self._sum_input(f + o) if known else np.zeros_like(self.sums[0]))
        near = [f + k for k in (-3, -2, -1, 1, 2, 3)]
        there = [0 <= g < self.frames for g in near]
        plain = [2 * gains[f] - 81]
        plain += [64 * ok for ok in there]
        for g, ok in zip(near, there, strict=True):
            plain.append(7 * min(max(gains[g] - gains[f], -16), 16) if ok else 0)
        plain += [min(8 * counts[g], 127) if ok else 0 for g, ok in zip(near, there, strict=True)]
        return np.concatenate([*parts, plain])

    def _step(self, x: Array, k: int) -> Array:
        shift = int(self.t["shifts"][k])
        return (x + (1 << (shift - 1))) >> shift

    def _frequencies(self, f: int, stage: int, frame_inputs: Array) -> Array:
        t, p = self.t, f % len(self.t["ranks"])
        left = min(4 * (self.channel.counts[f] - stage), 127)
        own = np.concatenate([self._sum_input(f), [left]])
        x = frame_inputs @ t["frame"] + t["frame_bias"][p] + own @ t["own"] + t["own_bias"][stage]
        a = np.clip(self._step(x, 0), 0, 127)
        b = np.clip(self._step(a @ t["hidden"] + t["hidden_bias"][stage], 1), 0, 127)
        c = np.clip(self._step(b @ t["last"] + t["last_bias"][stage], 2), -127, 127)
        logits = self._step(t["outputs"][stage] @ c, 3) + t["prior"][stage]
        rank = np.minimum(logits.max() - logits, len(t["exp2"]) - 1)
        w = t["exp2"][rank]
        free = FULL - len(w)
        r: Array = w * free // w.sum()
        r[int(logits.argmax())] += free - r.sum()
        return r + 1
