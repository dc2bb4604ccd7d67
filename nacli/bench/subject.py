"""nacli itself, as a benchmark sees it: whole clips encoded and decoded by a loaded model."""

from __future__ import annotations

import hashlib
import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from nacli.api import load_model
from nacli.bench.clips import Clip
from nacli.bench.cost import Cost, calibrate, costing
from nacli.checkpoint import Model
from nacli.decoder.stream import Decoder
from nacli.encoder.settings import EncoderSettings
from nacli.encoder.stream import Encoder
from nacli.errors import NacliError
from nacli.format import EndRecord, Event, Parser
from nacli.types import Pcm

NAME = "nacli"


@dataclass(frozen=True)
class Coded:
    """A clip after a codec: bytes of its file, samples [T', C] at a rate, and what both ways cost.

    `setting` is what the codec was told. nacli also gives its file, and the CPU seconds of the
    calibration loop beside it.
    """

    size: int
    pcm: Pcm
    rate: int
    encoding: Cost
    decoding: Cost
    setting: str
    data: bytes = b""
    calibration: float = 0.0


class Subject(Protocol):
    """What encodes and decodes a clip with nacli."""

    def run(self, clip: Clip, bitrate: float) -> Coded:
        """Code a clip at `bitrate` kbps. Raises the errors of `Encoder`."""


class Local:
    """nacli in this process."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._warm = False

    def run(self, clip: Clip, bitrate: float) -> Coded:
        if not self._warm:  # the first call loads torch and builds the networks
            self._warm = True
            second = np.zeros((24_000, 1), np.float32)
            self._code(Clip("", "", second, 24_000), 6.0)
        return self._code(clip, bitrate)

    def _code(self, clip: Clip, bitrate: float) -> Coded:
        unit = calibrate()
        channels = clip.pcm.shape[1]
        blocks = [clip.pcm[at : at + clip.rate] for at in range(0, len(clip.pcm), clip.rate)]
        with costing() as encoding:
            settings = EncoderSettings(bitrate=bitrate)
            encoder = Encoder(self._model, clip.rate, channels, settings, samples=len(clip.pcm))
            data = b"".join([*map(encoder.encode, blocks), encoder.finish()])
        with costing() as decoding:
            decoder = Decoder(self._model)
            pcm = np.concatenate([decoder.decode(data), decoder.finish()])
        setting = f"{bitrate:g} kbps"
        return Coded(len(data), pcm, clip.rate, encoding, decoding, setting, data, unit)


class Isolated:
    """nacli in a process of its own, so that its peak memory is the codec's and not the metrics'.

    A context manager; the process lives as long as it.
    """

    def __init__(self, model: Path | None) -> None:
        self._pool = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), _start, (None if model is None else model,)
        )

    def __enter__(self) -> Isolated:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def run(self, clip: Clip, bitrate: float) -> Coded:
        try:
            return self._pool.submit(_run, clip, bitrate).result()
        except BrokenProcessPool as error:
            raise NacliError("the process that measures nacli has died") from error


_local: Local
_failure: NacliError | None = None


def _start(model: Path | None) -> None:
    """In the process: load the model. A failure is kept, since a pool would not tell it."""
    global _local, _failure
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    try:
        _local = Local(load_model(model))
    except NacliError as error:
        _failure = error


def _run(clip: Clip, bitrate: float) -> Coded:
    if _failure is not None:
        raise _failure
    return _local.run(clip, bitrate)


@dataclass(frozen=True)
class Identity:
    """Hashes in hex that tell whether two encodings are the same: of the file's bytes, and of its
    gains and codes alone, which do not change with the header or the entropy coder."""

    bitstream: str
    codes: str


def identify(data: bytes) -> Identity:
    """The identity of a sound .nac file."""
    [end] = [event for event in events(data) if isinstance(event, EndRecord)]
    return Identity(hashlib.sha256(data).hexdigest()[:16], end.check.hex())


def events(data: bytes) -> list[Event]:
    """Header, packets and end record of a .nac file."""
    parser = Parser()
    return [*parser.feed(data), *parser.finish()]
