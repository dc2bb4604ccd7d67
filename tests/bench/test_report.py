"""The page of `nacli bench --report`: a table for each folder, intervals, and files shown once."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fake_model import make_model
from nacli.bench.clips import Clip
from nacli.bench.measure import Row, Version, interval, means

pytest.importorskip("matplotlib")

from nacli.bench import figures, report, report_clips, report_tables

ROW = Row("nacli", "a", "speech", 3.0, "", 1.0, 400, 0.1, 0.1, 0.1, 0.1, 1 << 20, 0, {"mel": 0.5})


def rows() -> list[Row]:
    """nacli at 3 and 6 kbps, a peer whose one file answers to both; three clips in each folder."""
    found = []
    for group, metric in (("speech", "pesq"), ("music", "visqol")):
        for number in range(3):
            quality = {"mel": 0.5 + 0.1 * number, metric: 2.0 + number}
            own = replace(ROW, clip=f"c{number}", group=group, quality=quality)
            peer = replace(own, codec="opus", setting="6", size=900)
            for asked in (3.0, 6.0):
                found += [replace(own, asked=asked, size=int(130 * asked))]
                found += [replace(peer, asked=asked)]
    return found


def page(
    found: list[Row], shown: list[Any], monkeypatch: pytest.MonkeyPatch, sound: bool = False
) -> str:
    """The page without its pictures, which take long, and with or without sound."""
    fast = SimpleNamespace(**vars(figures))
    if not sound:
        fast.data_uri = lambda *_: "data:,"
    for name in ("curves", "spectrogram", "difference", "bit_allocation"):
        setattr(fast, name, lambda *_: "data:,")
    for module in (report_clips, report_tables):
        monkeypatch.setattr(module, "figures", fast)
    monkeypatch.setattr(report_clips, "allocation", lambda *_: np.zeros((1, 1)))
    model: Any = make_model()
    return "".join(report._page(found, shown, {"python": "<3>"}, model))


def table(text: str, heading: str) -> list[list[str]]:
    """The cells of the table under a heading, the intervals in brackets."""
    part = text.partition(f"<h3>{heading}</h3>")[2].partition("</table>")[0]
    lines = re.findall(r"<tr>(.*?)</tr>", part)
    cells = [re.findall(r"<t[hd]>(.*?)</t[hd]>", line) for line in lines]
    return [[re.sub(r"<small>(.*)</small>", r" (\1)", cell) for cell in line] for line in cells]


def test_speech_and_music_have_their_own_tables_and_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    text = page(rows(), [], monkeypatch)
    speech, music = table(text, "speech, 3 clips"), table(text, "music, 3 clips")
    assert "PESQ-WB↑" in speech[0]
    assert "PESQ-WB↑" not in music[0]
    assert "ViSQOL↑" in music[0]
    assert "ViSQOL↑" not in speech[0]
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert sum("speech" in caption for caption in captions) == 2
    assert sum("music" in caption for caption in captions) == 2
    assert "&lt;3&gt;" in text


def test_a_peer_s_file_that_answers_to_several_bitrates_is_one_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = table(page(rows(), [], monkeypatch), "speech, 3 clips")
    assert [line[:2] for line in lines[1:]] == [["nacli", "3"], ["nacli", "6"], ["opus", "3, 6"]]


def test_the_means_have_confidence_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = table(page(rows(), [], monkeypatch), "speech, 3 clips")
    low, high = interval([0.5, 0.6, 0.7])
    assert f"0.600 ({low:.3f} to {high:.3f})" in lines[1]


def test_the_interval_covers_the_true_mean_as_often_as_it_says() -> None:
    """Twenty clips of a known distribution, two hundred times; the percentile bootstrap is known to
    be somewhat narrow at such sizes."""
    random = np.random.default_rng(5)
    found = [interval(random.normal(3.0, 1.0, 20).tolist()) for _ in range(200)]
    covered = sum(low <= 3.0 <= high for low, high in found)
    assert 0.88 < covered / 200 < 0.99


def test_one_clip_has_no_interval() -> None:
    [mean] = means([ROW])
    assert mean.intervals == {}
    several = next(mean for mean in means(rows()) if mean.group == "speech")
    assert set(several.intervals) == {"mel", "pesq"}


def test_a_clip_s_players_have_keys_and_a_repeated_file_has_one_player(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = Clip("c0", "speech", np.zeros((2400, 1), np.float32), 24_000)
    versions = [Version(r, clip.pcm, b"") for r in rows() if (r.clip, r.group) == ("c0", "speech")]
    text = page(rows(), [report_clips.Shown(clip, versions)], monkeypatch)
    assert re.findall(r'data-key="(\d)"', text) == ["1", "2", "2", "3"]
    assert "<h4><kbd>3</kbd> opus, 7.20 kbps</h4>" in text
    assert "<p><kbd>3</kbd> opus: the same file as at 6 kbps.</p>" in text
    assert 'addEventListener("keydown"' in text


PROBE = """<script>
const tables = [...document.querySelectorAll(".wide")];
const seen = {widths: tables.map(table => [table.scrollWidth, table.clientWidth])};
const press = key => document.dispatchEvent(new KeyboardEvent("keydown", {key}));
const [original, first, other, peer] = document.querySelectorAll("audio");
const until = (player, kind) => new Promise(done =>
  player.addEventListener(kind, () => setTimeout(done), {once: true}));
const state = () => [original, first, other, peer].map(player => !player.paused);
(async () => {
  for (const player of [original, first, other, peer])
    if (!player.readyState) await until(player, "loadedmetadata");
  original.currentTime = 1;
  let started = until(original, "play");
  press("1");
  await started;
  seen.one = state();
  document.querySelector("details").classList.add("last");
  started = until(peer, "play");
  press("3");
  await started;
  seen.three = state();
  seen.position = peer.currentTime;
  started = until(first, "play");
  press("2");
  await started;
  seen.two = state();
  press("2");
  seen.again = state();
})().catch(error => seen.error = String(error))
  .finally(() => document.title = JSON.stringify(seen));
</script>"""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_in_a_browser_all_columns_are_visible_and_keys_switch_players(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    every = {"mel": 0.5, "stft": 1.2, "si_sdr": -12.34, "level": 10.0}
    every |= dict.fromkeys(("pesq", "stoi", "estoi", "visqol"), 2.222)
    found = [replace(row, quality=every) for row in rows()]
    clip = Clip("c0", "speech", np.zeros((72_000, 1), np.float32), 24_000)
    versions = [Version(row, clip.pcm, b"") for row in found[:4]]  # the peer's player is at 6 kbps
    path = tmp_path / "page.html"
    path.write_text(
        page(found, [report_clips.Shown(clip, versions)], monkeypatch, sound=True) + PROBE
    )
    flags = "headless no-sandbox disable-gpu disable-quic no-first-run disable-sync mute-audio"
    flags += " disable-background-networking disable-component-update virtual-time-budget=20000"
    flags += f" autoplay-policy=no-user-gesture-required user-data-dir={tmp_path}/profile"
    flags += " window-size=1280,2000 dump-dom"
    command = ["chromium", *(f"--{flag}" for flag in flags.split()), path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    [title] = re.findall(r"<title>(.*?)</title>", done.stdout)
    seen = json.loads(html.unescape(title))
    assert "error" not in seen
    assert len(seen["widths"]) == 3
    assert all(content <= window for content, window in seen["widths"])
    assert seen["one"] == [True, False, False, False]
    assert seen["three"] == [False, False, False, True]
    assert seen["two"] == [False, True, False, False], "at 3 kbps still, where the peer is a note"
    assert not any(seen["again"])
    assert 1 <= seen["position"] < 2.5
