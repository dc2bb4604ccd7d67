"""Draw docs/quality.svg, quality against bitrate beside other codecs, from docs/quality.json.

    python scripts/plot_quality.py

The JSON file holds the measured figures, their date and the command of each curve. matplotlib comes
with the extra `bench`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

DOCS = Path(__file__).resolve().parents[1] / "docs"
STYLES: dict[str, dict[str, Any]] = {
    "nacli": {"color": "#c0392b", "marker": "o", "linewidth": 2.2},
    "Opus": {"color": "#2d5f9a", "marker": "s"},
    "Opus, NoLACE decoder": {"color": "#2d5f9a", "marker": "D", "markerfacecolor": "white"},
    "Lyra v2": {"color": "#3a7d44", "marker": "^"},
}
"""Line and marker of each codec."""


def draw(panel: dict[str, Any], axes: Axes) -> None:
    """Draw the curves of one panel."""
    for curve in panel["curves"]:
        kbps, scores = zip(*curve["points"], strict=True)
        axes.plot(kbps, scores, label=curve["codec"], **STYLES[curve["codec"]])
    axes.set_title(panel["title"], fontsize=11)
    axes.set_xlabel("kbps of the whole file")
    axes.set_xlim(0, 13)
    axes.set_xticks(range(0, 13, 3))
    axes.grid(color="#dddddd")
    axes.spines[["top", "right"]].set_visible(False)


@click.command()
@click.option("--out", default=str(DOCS / "quality.svg"), show_default=True)
def main(out: str) -> None:
    """Draw the figure; the ending of --out chooses between SVG and PNG."""
    matplotlib.rcParams["svg.hashsalt"] = "quality"  # the same figures give the same file
    panels = json.loads((DOCS / "quality.json").read_text())["panels"]
    figure = Figure(figsize=(10, 3.4), layout="constrained", facecolor="white")
    for panel, axes in zip(panels, figure.subplots(1, len(panels)), strict=True):
        draw(panel, axes)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.savefig(out, metadata={"Date": None} if out.endswith(".svg") else None, dpi=100)


if __name__ == "__main__":
    main()
