"""Files: audio to .nac and back, block by block, in bounded memory. "-" is stdin or stdout."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from nacli.audio import AudioInfo, AudioReader, AudioWriter
from nacli.checkpoint import Model
from nacli.decoder import Decoder
from nacli.encoder import Encoder
from nacli.errors import OutputExists
from nacli.files import atomic_output, check_output, naming, read_bytes_blocks
from nacli.format import Header

Pcm = NDArray[np.float32]


@dataclass
class Progress:
    """How far a conversion has come. `expected` is the length in samples where it is known."""

    sample_rate: int
    expected: int | None
    samples: int = 0
    nac_bytes: int = 0

    @property
    def seconds(self) -> float:
        """Audio converted so far."""
        return self.samples / self.sample_rate

    @property
    def kbps(self) -> float:
        """Of the whole .nac file; 0 where there is no audio."""
        return self.nac_bytes * 8 / 1000 / self.seconds if self.samples else 0.0


Watch = Callable[[Progress], None]
"""Called after every block."""


def encode_file(
    source: str,
    target: str,
    model: Model,
    *,
    watch: Watch,
    bitrate: float | None = None,
    packet_frames: int = 75,
    embed: bool = False,
    force: bool = False,
) -> Progress:
    """Compress an audio file to a .nac file, one packet at a time.

    Raises the errors of `AudioReader`, `Encoder` and `atomic_output`.
    """
    _check_target(source, target, force)
    with AudioReader(source) as reader:
        info = reader.info
        with naming(source):
            encoder = Encoder(
                model,
                info.sample_rate,
                info.channels,
                bitrate=bitrate,
                packet_frames=packet_frames,
                samples=info.samples,
                sample_format=info.sample_format,
                tags=info.tags,
                embed=embed,
            )
        progress = Progress(info.sample_rate, info.samples)
        packet_samples = round(packet_frames / model.config.frame_rate * info.sample_rate)
        with atomic_output(target, force) as output:
            for pcm in reader.blocks(packet_samples):
                progress.nac_bytes += output.write(encoder.encode(pcm))
                progress.samples += len(pcm)
                watch(progress)
            progress.nac_bytes += output.write(encoder.finish())
    return progress


def decode_file(
    source: str, target: str, model: Model, *, watch: Watch, force: bool = False
) -> Progress:
    """Decompress a .nac file to an audio file, whose container follows its extension.

    Raises the errors of `Decoder`, naming the file, and those of `AudioWriter`.
    """
    _check_target(source, target, force)
    decoder, progress = Decoder(model), Progress(1, None)
    blocks = _decoded(source, decoder, progress)
    first = next(blocks)
    assert decoder.header is not None
    progress.sample_rate = decoder.header.stream.sample_rate
    progress.expected = decoder.header.stream.samples
    with AudioWriter(target, _audio_info(decoder.header), force) as writer:
        for pcm in chain([first], blocks):
            writer.write(pcm)
            progress.samples += len(pcm)
            watch(progress)
    return progress


def _decoded(source: str, decoder: Decoder, progress: Progress) -> Iterator[Pcm]:
    """Samples as the bytes of `source` complete them; the last come when it has ended well."""
    with naming(source):
        for data in read_bytes_blocks(source):
            progress.nac_bytes += len(data)
            yield from decoder.blocks(data)
        yield decoder.finish()


def _audio_info(header: Header) -> AudioInfo:
    stream = header.stream
    sample_format = stream.sample_format.name
    return AudioInfo(
        stream.sample_rate, stream.channels, sample_format, stream.samples, header.tags
    )


def _check_target(source: str, target: str, force: bool) -> None:
    """Refuse what can be refused before the work; never replace the input by its own output."""
    check_output(target, force)
    if "-" in (source, target):
        return
    if os.path.isfile(source) and os.path.exists(target) and os.path.samefile(source, target):
        raise OutputExists(f"{target}: input and output are the same file")
