"""`nacli bench` as a command, around a torch-free model."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fake_model import make_model
from nacli import api as codec
from nacli.bench import metrics, subject
from nacli.bench.clips import Clip, read_pcm, write_pcm
from nacli.cli import main
from nacli.errors import BadCheckpoint, GateFailed, WriteFailed

REAL_ISOLATED = subject.Isolated  # before the fixture replaces it
COPY = "copy: cp {in} {out} :: cp {in} {out}"


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The fake model in place of the shipped one, in this process."""
    fake = make_model()

    @contextmanager
    def local(path: Path | None) -> Iterator[subject.Local]:
        yield subject.Local(fake)

    monkeypatch.setattr(subject, "Isolated", local)
    monkeypatch.setattr(codec, "load_model", lambda path=None, **options: fake)
    return fake


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two clips of a second, one of them in stereo."""
    random = np.random.default_rng(0)
    folder = tmp_path / "clips"
    folder.mkdir()
    for name, channels in (("one", 1), ("two", 2)):
        coarse = random.normal(size=(600, channels)) * 0.1
        write_pcm(folder / f"{name}.wav", coarse.repeat(40, 0).astype(np.float32), 24_000)
    return folder


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, arguments), "--metrics", "mel,si_sdr,stft"])


def test_the_table_has_rows_and_means(clips: Path) -> None:
    done = bench(clips, "--bitrate", "3,6")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if line] == ["clip", *["one"] * 2, *["two"] * 2,
                                                           "clip", "mean", "mean"]  # fmt: skip
    assert len({len(line) for line in lines[1:5]}) == 1
    assert lines[0].split()[:6] == ["clip", "codec", "asked", "file", "kbps", "bytes"]


def test_json_csv_and_the_kept_files_agree(clips: Path, tmp_path: Path) -> None:
    options = (clips, "--bitrate", 3, "--peer-cmd", COPY)
    rows = json.loads(bench(*options, "--json", "--keep", tmp_path / "kept").stdout)["rows"]
    table = list(csv.DictReader(io.StringIO(bench(*options, "--csv").stdout)))
    assert [row["clip"] for row in rows] == ["one", "one", "two", "two"]
    for row, line in zip(rows, table, strict=True):
        original, rate = read_pcm(clips / f"{row['clip']}.wav")
        decoded, _ = read_pcm(
            tmp_path / "kept" / f"{row['group']}-{row['clip']}.{row['codec']}-3.wav"
        )
        mel = np.mean([metrics.log_mel_distance(*pair, rate)
                       for pair in zip(original.T, decoded.T, strict=True)])  # fmt: skip
        assert row["quality"]["mel"] == pytest.approx(float(mel), abs=1e-6)
        assert float(line["mel"]) == pytest.approx(row["quality"]["mel"], abs=1e-9)
        assert row["kbps"] == row["size"] * 8 / 1000
        assert float(line["size"]) == row["size"]


def test_clips_that_results_could_not_tell_apart_are_refused(clips: Path, tmp_path: Path) -> None:
    twin = tmp_path / clips.name / "one.flac"
    twin.parent.mkdir(exist_ok=True)
    twin.write_bytes((clips / "one.wav").read_bytes())
    done = bench(clips / "one.wav", twin)
    assert done.exit_code == 3
    assert "same name and folder" in done.output


def test_seconds_and_mono_cut_the_clips(clips: Path) -> None:
    done = bench(clips / "two.wav", "--bitrate", 3, "--seconds", 0.5, "--mono", "--json")
    [row] = json.loads(done.stdout)["rows"]
    assert row["seconds"] == 0.5


def test_the_gate_passes_and_fails_with_its_own_code(clips: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    options = (clips, "--bitrate", 3, "--tolerance", "encoding=10000%,decoding=10000%")
    assert bench(*options, "--save", baseline).exit_code == 0
    same = bench(*options, "--baseline", baseline, "--golden")
    assert same.exit_code == 0, same.output
    values = json.loads(baseline.read_text())
    values["rows"][0]["figures"]["mel"] -= 0.5
    values["rows"][1]["codes"] = "other"
    baseline.write_text(json.dumps(values))
    worse = bench(*options, "--baseline", baseline, "--golden")
    assert worse.exit_code == GateFailed.exit_code
    assert re.search(r"worse +one at 3 kbps: mel", worse.stderr)
    assert "differs two at 3 kbps: codes other" in worse.stderr
    assert worse.stderr.splitlines()[-1].startswith("nacli: 1 of ")


def test_the_gate_with_another_bitrate_says_what_is_missing(clips: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    options = (clips / "one.wav", "--tolerance", "encoding=10000%,decoding=10000%")
    assert bench(*options, "--bitrate", 3, "--save", baseline).exit_code == 0
    done = bench(*options, "--bitrate", 6, "--baseline", baseline)
    assert done.exit_code == GateFailed.exit_code
    assert "missing  one at 3 kbps: this run has no kbps, mel" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("nacli: 0 of 6 figures are worse than the ")
    assert done.stderr.endswith(", 4 are missing\n")
    assert not re.search(r"\b(nan|inf)\b", done.stderr)


@pytest.mark.parametrize("option", ["--report", "--save"])
def test_a_missing_folder_is_refused_before_the_work(
    option: str, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: list[object] = []
    monkeypatch.setattr(subject.Local, "run", lambda *arguments: worked.append(arguments))
    done = bench(clips, option, tmp_path / "none" / "out")
    assert done.exit_code == WriteFailed.exit_code
    assert done.stderr == f"nacli: {tmp_path}/none/out: No such file or directory\n"
    assert not worked


def test_a_missing_peer_is_one_line(clips: Path) -> None:
    command = "ghost: nothing-is {in} {out} :: nothing-is {in} {out}"
    done = bench(clips / "one.wav", "--bitrate", 3, "--peer-cmd", command)
    assert done.exit_code == 0
    assert done.stderr == "nacli: ghost is left out: nothing-is not on PATH\n"


def test_a_failing_peer_is_one_line_per_clip(clips: Path) -> None:
    command = "bad: false {in} {out} :: cp {in} {out}"
    done = bench(clips, "--bitrate", "3,6", "--peer-cmd", command)
    assert done.exit_code == 0
    assert [line.rpartition(": ")[0] for line in done.stderr.splitlines()] == [
        f"nacli: {clip}: bad is left out: false" for clip in ("one", "two")
    ]


@pytest.mark.parametrize(
    "options",
    [
        ["--golden"],
        ["--json", "--csv"],
        ["--bitrate", "x"],
        ["--tolerance", "x"],
        ["--peer", "x"],
        ["--peer-cmd", "x"],
    ],
)
def test_usage_errors(options: list[str], clips: Path) -> None:
    assert bench(clips, *options).exit_code == 2


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    done = bench(tmp_path)
    assert done.exit_code == 3
    assert "no clips" in done.stderr


def test_the_report_is_one_page_with_everything_in_it(clips: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page = tmp_path / "out.html"
    done = bench(clips / "two.wav", "--bitrate", "3", "--peer-cmd", COPY, "--report", page)
    assert done.exit_code == 0, done.output
    text = page.read_text()
    assert text.count("<audio") == 3
    assert text.count("bits by stage and time</figcaption>") == 1
    sources = re.findall(r'(?:src|href)="([^"]{,20})', text)
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert not re.search(r"https?://", re.sub(r'"data:[^"]*"', "", text))
    assert bench(clips, "--report", page).exit_code == 10, "it is there already"


def test_a_child_process_measures_and_tells_its_errors(tmp_path: Path) -> None:
    clip = Clip("a", "g", np.zeros((100, 1), np.float32), 24_000)
    with REAL_ISOLATED(tmp_path / "none.safetensors") as child, pytest.raises(BadCheckpoint):
        child.run(clip, 3)
