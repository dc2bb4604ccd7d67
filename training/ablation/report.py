"""Results of the ablation: a JSON file for each arm, and a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nacli.bench.clips import find_clips, read_clip
from training.ablation.arms import ARMS
from training.ablation.measure import STAGES, measure
from training.loop.states import load_codec, load_state

COLUMNS = {
    "steps": "steps",
    "weights": "weights (M)",
    **{f"speech pesq {stages}": f"PESQ-WB {stages}" for stages in STAGES},
    **{f"speech estoi {stages}": f"ESTOI {stages}" for stages in STAGES},
    **{f"speech mel {stages}": f"mel, speech {stages}" for stages in STAGES},
    **{f"music mel {stages}": f"mel, music {stages}" for stages in STAGES},
    "bits": "bits a code",
    "speed": "audio s per CPU s",
}
"""Headings of the table by the names of the figures; the last number is the stage count."""


def write_report(arm: str, run: Path, clips: Path, seconds: float, out: Path) -> None:
    """Measure the trained arm in `run` on the first `seconds` of clips, and write `out`."""
    state = load_state(run / "state.pt", "cpu")
    codec = load_codec(state).eval()
    found = [read_clip(path, seconds, mono=True) for path in find_clips([str(clips)])]
    networks = [*codec.encoder.parameters(), *codec.decoder.parameters()]
    figures = {
        "steps": state["step"],
        "weights": sum(parameter.numel() for parameter in networks) / 1e6,
        **measure(codec, found),
    }
    config, options = ARMS[arm]
    row = {
        "arm": arm,
        "config": config,
        "options": options,
        "hours": state["seconds"] / 3600,
        "clips": len(found),
        "figures": figures,
    }
    out.write_text(json.dumps(row, indent=2) + "\n")


def table(folder: Path) -> str:
    """Return the table of all arms with results in a folder."""
    paths = [folder / f"{name}.json" for name in ARMS]
    return markdown([json.loads(path.read_text()) for path in paths if path.exists()])


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table of results; a dash stands for a missing figure."""
    lines = ["| arm | " + " | ".join(COLUMNS.values()) + " |", "|---" * (1 + len(COLUMNS)) + "|"]
    for row in rows:
        values = [row["figures"].get(name) for name in COLUMNS]
        cells = ["-" if value is None else _cell(value) for value in values]
        lines.append(f"| {row['arm']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"
