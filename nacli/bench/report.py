"""The report: one HTML page that contains all tables, pictures and audio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from nacli.bench.measure import Row, means
from nacli.bench.report_clips import MAX_SECONDS, Players, Shown, clip_section
from nacli.bench.report_tables import (
    codec_colours,
    distinct,
    machine_table,
    means_table,
    rate_curves,
)
from nacli.bench.table import figure_names
from nacli.checkpoint import Model
from nacli.errors import counted
from nacli.files.outputs import atomic_output

MAX_CLIPS = 8
"""Number of clips with pictures and players; tables and curves contain all clips."""
PAGE = (Path(__file__).parent / "report.html").read_text()
MEANS_NOTE = """<p>Below the mean of a metric stands its 95% confidence interval, from a bootstrap
over the clips. The plots show the same intervals as bars.</p>"""
KEYS_NOTE = """<p>Only one player of a clip plays at a time, and the next one continues at the same
position. The key <kbd>1</kbd> plays the original; the keys <kbd>2</kbd> to <kbd>9</kbd> play the
codecs, at the bitrate of the player that was last started by hand. The same key again pauses
it.</p>"""


def save_report(
    path: str,
    rows: Sequence[Row],
    shown: Sequence[Shown],
    machine: dict[str, str],
    model: Model,
    force: bool,
) -> None:
    """Write the page.

    Args:
        path: file to write.
        rows: all rows of the benchmark.
        shown: clips with pictures and players.
        machine: names and versions of `machine.describe`.
        model: the model that made nacli's files.
        force: replace an existing file.

    Raises:
        OutputExists: the file exists and `force` is false.
        WriteFailed: the file cannot be written.
    """
    with atomic_output(path, force) as output:
        for part in _page(rows, shown, machine, model):
            output.write(part.encode())


def _page(
    rows: Sequence[Row], shown: Sequence[Shown], machine: dict[str, str], model: Model
) -> Iterator[str]:
    """Yield the page in parts."""
    head, foot = PAGE.split("<!-- content -->")
    clips = _count_clips(rows)
    players = Players()
    yield head
    yield f"<p>{counted(clips, 'clip')}. Bitrates are those of whole files, container included. "
    yield "Every version is aligned with its original; its level is not changed.</p>"
    yield f"<h2>Means</h2>{MEANS_NOTE}"
    colours = codec_colours(rows)
    for group in dict.fromkeys(row.group for row in rows):
        yield _group_section(group, [row for row in rows if row.group == group], colours)
    yield f"<h2>Clips</h2>{_shown_note(clips, len(shown))}{KEYS_NOTE}"
    for clip in shown:
        yield clip_section(clip, players, model)
    yield "<h2>Machine and versions</h2>" + machine_table(machine)
    yield foot


def _group_section(group: str, rows: Sequence[Row], colours: dict[str, str]) -> str:
    """Return the table of means and the curves of the clips of one folder."""
    title = f"{group or 'clips'}, {counted(_count_clips(rows), 'clip')}"
    found = distinct(means(rows))
    table = means_table(found, figure_names(rows))
    curves = "".join(rate_curves(found, group, colours))
    return f"<h3>{escape(title)}</h3>{table}<div class=grid>{curves}</div>"


def _count_clips(rows: Sequence[Row]) -> int:
    return len({(row.group, row.clip) for row in rows})


def _shown_note(clips: int, shown: int) -> str:
    """Return a sentence about which clips the page shows."""
    which = "All clips are" if shown == clips else f"The first {shown} of {clips} clips are"
    return f"<p>{which} shown, at most {MAX_SECONDS:g} s of each.</p>"
