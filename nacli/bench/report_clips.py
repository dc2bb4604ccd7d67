"""The clips of the report as HTML: spectrograms, bit allocation and audio players."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from nacli.bench import figures
from nacli.bench.allocation import allocation
from nacli.bench.clips import Clip, write_pcm
from nacli.bench.measure import Row, Version
from nacli.bench.report_tables import figure
from nacli.bench.subject import NAME
from nacli.bench.table import heading, show
from nacli.checkpoint import Model
from nacli.types import Pcm

MAX_SECONDS = 10.0
"""Duration of each clip that the report shows and plays."""
MAX_AUDIO_BYTES = 24 << 20
"""Largest size of all audio in the page; later versions have no player."""
DIFFERENCE_CAPTION = "difference from the original"
BITS_CAPTION = "bits by stage and time"


@dataclass(frozen=True)
class Shown:
    """The beginning of a clip, and of its decoded versions."""

    clip: Clip
    versions: list[Version]


def excerpt(clip: Clip, versions: Sequence[Version]) -> Shown:
    """Return the beginning of a clip that the report shows."""
    samples = int(MAX_SECONDS * clip.rate)
    short = [replace(version, pcm=version.pcm[:samples].copy()) for version in versions]
    return Shown(replace(clip, pcm=clip.pcm[:samples].copy()), short)


class Players:
    """Makes audio players until the audio in the page reaches MAX_AUDIO_BYTES."""

    def __init__(self) -> None:
        self._left = MAX_AUDIO_BYTES

    def player(self, pcm: Pcm, rate: int, title: str, key: int) -> str:
        """Return a player of samples [T, C], which are stored as FLAC; a number key starts it."""
        with TemporaryDirectory(prefix="nacli-bench-") as folder:
            path = Path(folder) / "clip.flac"
            write_pcm(path, pcm, rate)
            data = path.read_bytes()
        if len(data) > self._left:
            return "<p>(This version has no player: the page would be too large.)</p>"
        self._left -= len(data)
        source = figures.data_uri(data, "audio/flac")
        name = escape(title)
        attributes = f'data-key="{key}" aria-label="{name}" src="{source}"'
        return f"<audio controls preload=metadata {attributes}></audio>"


def clip_section(shown: Shown, players: Players, model: Model) -> str:
    """Return the section of a clip: the original, then a fold for every requested bitrate. The fold
    in the middle is open."""
    clip = shown.clip
    ordered = sorted(shown.versions, key=lambda version: version.row.asked)
    rates = list(dict.fromkeys(version.row.asked for version in ordered))
    codecs = list(dict.fromkeys(version.row.codec for version in ordered))
    last = {_file_identity(version.row): version.row.asked for version in ordered}
    parts = [f"<section><h3>{escape(_title(clip))}</h3>", _original(clip, players)]
    for rate in rates:
        opened = " open" if rate == rates[len(rates) // 2] else ""
        parts.append(f"<details{opened}><summary>{rate:g} kbps</summary><div class=grid>")
        notes = []
        for version in (version for version in ordered if version.row.asked == rate):
            codec, shown_at = version.row.codec, last[_file_identity(version.row)]
            key = 2 + codecs.index(codec)
            if shown_at == rate:
                parts.append(_version(clip, version, players, model, key))
            else:
                same = f"{escape(codec)}: the same file as at {shown_at:g} kbps."
                notes.append(f"<p>{_key(key)}{same}</p>")
        parts += ["</div>", *notes, "</details>"]
    return "".join(parts) + "</section>"


def _title(clip: Clip) -> str:
    """Return the name of a clip with its group."""
    return f"{clip.group}/{clip.name}" if clip.group else clip.name


def _file_identity(row: Row) -> tuple[str, str, float]:
    """Return a value that is equal for equal files: nacli makes one file for every bitrate, a peer
    one for every setting.

    A peer's file that belongs to several bitrates is shown at the last of them.
    """
    return row.codec, row.setting, row.asked if row.codec == NAME else 0.0


def _key(number: int) -> str:
    """Return the label of the key that plays a version; an empty string if there is no such key."""
    return f"<kbd>{number}</kbd> " if number < 10 else ""


def _original(clip: Clip, players: Players) -> str:
    """Return the player and the spectrogram of the original."""
    levels = figures.decibels(clip.pcm.mean(1), clip.rate)
    picture = figures.spectrogram(levels, clip.rate, clip.seconds)
    player = players.player(clip.pcm, clip.rate, f"{clip.name}, original", 1)
    caption = f"{clip.seconds:.1f} s, {clip.rate} Hz"
    article = f"<article><h4>{_key(1)}original</h4>{player}{figure(picture, caption)}</article>"
    return f"<div class=grid>{article}</div>"


def _version(clip: Clip, version: Version, players: Players, model: Model, key: int) -> str:
    """Return the player, the figures and the pictures of a decoded version."""
    row, rate, seconds = version.row, clip.rate, clip.seconds
    title = f"{row.codec}, {row.kbps:.2f} kbps"
    original = figures.decibels(clip.pcm.mean(1), rate)
    levels = figures.decibels(version.pcm.mean(1), rate)
    quality = [f"{heading(name)} {show(name, value)}" for name, value in row.quality.items()]
    parts = [
        f"<article><h4>{_key(key)}{escape(title)}</h4>",
        players.player(version.pcm, rate, f"{clip.name}, {title}", key),
        figure(figures.spectrogram(levels, rate, seconds), ", ".join(quality)),
        figure(figures.difference(levels, original, rate, seconds), DIFFERENCE_CAPTION),
    ]
    if row.codec == NAME:
        frames = round(seconds * model.config.frame_rate)
        bits = allocation(version.data, model)[:frames]
        parts.append(figure(figures.bit_allocation(bits, seconds), BITS_CAPTION))
    return "".join(parts) + "</article>"
