"""nacli as the subject of a benchmark: whole clips are coded with a loaded model."""

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
class CodedClip:
    """A coded clip: bytes of its file, decoded samples [T', C] and their rate, and the costs.

    `setting` is the setting of the codec. For nacli, `data` is the file and `calibration` the CPU
    time of the calibration loop in seconds.
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
    """Encodes and decodes clips with nacli."""

    def run(self, clip: Clip, bitrate: float) -> CodedClip:
        """Encode and decode a clip at `bitrate` kbps. Raises the errors of `Encoder`."""


class Local:
    """nacli in this process."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._warm = False

    def run(self, clip: Clip, bitrate: float) -> CodedClip:
        if not self._warm:  # the first call imports libraries and builds the networks
            self._warm = True
            second = np.zeros((24_000, 1), np.float32)
            self._code(Clip("", "", second, 24_000), 6.0)
        return self._code(clip, bitrate)

    def _code(self, clip: Clip, bitrate: float) -> CodedClip:
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
        return CodedClip(len(data), pcm, clip.rate, encoding, decoding, setting, data, unit)


class Isolated:
    """nacli in a process of its own, so that its peak memory does not include the metrics.

    This is a context manager: the process ends with it.
    """

    def __init__(self, model: Path | None) -> None:
        self._pool = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), _start, (None if model is None else model,)
        )

    def __enter__(self) -> Isolated:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def run(self, clip: Clip, bitrate: float) -> CodedClip:
        try:
            return self._pool.submit(_run, clip, bitrate).result()
        except BrokenProcessPool as error:
            raise NacliError("the process that measures nacli ended unexpectedly") from error


_local: Local
_failure: NacliError | None = None


def _start(model: Path | None) -> None:
    """Load the model in the new process. An error is kept for `_run`, because the pool would not
    report it."""
    global _local, _failure
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C
    try:
        _local = Local(load_model(model))
    except NacliError as error:
        _failure = error


def _run(clip: Clip, bitrate: float) -> CodedClip:
    if _failure is not None:
        raise _failure
    return _local.run(clip, bitrate)


@dataclass(frozen=True)
class Identity:
    """Hashes in hex by which two encodings are compared: of the bytes of the file, and of its codes
    alone, which do not depend on the header or the entropy coder."""

    bitstream: str
    codes: str


def identify(data: bytes) -> Identity:
    """Return the identity of an undamaged .nac file."""
    [end] = [event for event in events(data) if isinstance(event, EndRecord)]
    return Identity(hashlib.sha256(data).hexdigest()[:16], end.check.hex())


def events(data: bytes) -> list[Event]:
    """Return the header, packets and end record of a .nac file."""
    parser = Parser()
    return [*parser.feed(data), *parser.finish()]
