"""The number of codes of each stage and their bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_model import CONFIG, make_model
from nacli.api import encode
from nacli.entropy import ChannelCodes
from nacli.envelope.corrections import span_frames
from nacli.errors import WrongModel
from nacli.format import Packet, Parser
from nacli.inspection.bit_budget import count_codes
from nacli.inspection.info import read_info
from nacli.quantizer.allocation import packet_counts

TALK = np.random.default_rng(0).normal(size=(40_000, 2)).astype(np.float32) * 0.1


@pytest.mark.parametrize("learned", [False, True])
def test_codes_are_counted_by_stage(tmp_path: Path, learned: bool) -> None:
    model = make_model(learned=learned)
    path = tmp_path / "x.nac"
    path.write_bytes(encode(TALK, 24_000, model=model, bitrate=3))
    values = count_codes(str(path), model).to_json()
    codes, stage_bits, gain_bits, correction_bits = decoded(path.read_bytes(), model)
    assert values["raw_stage_bits"] == [4 * n for n in codes]  # 16 codes in a book
    assert values["raw_code_bits"] == 4 * values["codes"] == 4 * sum(codes)
    assert values["stage_bits"] == [round(bits) for bits in stage_bits]
    assert values["code_bits"] == pytest.approx(sum(stage_bits), abs=1)
    assert values["gain_bits"] == round(gain_bits)
    assert values["correction_bits"] == round(correction_bits)
    assert values["raw_correction_bits"] == 4 * values["corrections"] > 0
    coded = values["code_bits"] + values["gain_bits"] + values["correction_bits"]
    info = read_info(str(path))
    assert coded - 40 * info.packets <= 8 * info.payload_bytes <= coded + 40 * info.packets


def decoded(data: bytes, model: Any) -> tuple[list[int], list[float], float, float]:
    """Codes and their bits by stage, and bits of gains and corrections."""
    parser, total, bits = Parser(), np.zeros(CONFIG.stages, dtype=int), 0.0
    stage_bits, correction_bits = np.zeros(CONFIG.stages), 0.0
    for event in [*parser.feed(data), *parser.finish()]:
        if isinstance(event, Packet):
            reader = model.entropy.open(event.payload)
            reader.angles(1)
            gains = np.stack([reader.gains(event.frames) for _ in event.levels])
            counts = packet_counts(gains, event.levels, CONFIG.stages)
            for row, count in zip(gains, counts, strict=True):
                total += [(count > stage).sum() for stage in range(CONFIG.stages)]
                [codes] = model.entropy.pop_codes([reader.coder], [row], [count])
                channel = ChannelCodes(row, codes, count)
                stage_bits += model.entropy.code_bits(channel).sum(0)
            for count in counts:
                spans = -(-len(count) // span_frames(count, CONFIG))
                correction_bits += model.entropy.corrections.bits(*reader.corrections(spans))
            bits += sum(model.entropy.gains.bits(row) for row in gains)
    return total.tolist(), stage_bits.tolist(), bits, correction_bits


def test_another_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.nac"
    path.write_bytes(encode(TALK, 24_000, model=make_model()))
    with pytest.raises(WrongModel, match="another model"):
        count_codes(str(path), make_model(digest=b"other"))


def test_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "x.nac"
    path.write_bytes(encode(TALK, 24_000, model=make_model()))
    fake = str(Path(__file__).parents[1] / "support" / "fake_model.py")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, fake, "info", *arguments]
        root = str(Path(__file__).parents[2])
        environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    values = json.loads(run("--json", "--codes", str(path)).stdout)
    assert values["raw_code_bits"] == sum(values["raw_stage_bits"]) > 0
    assert "raw_code_bits" not in json.loads(run("--json", str(path)).stdout)
    assert run("--codes", "--check", str(path)).returncode == 2
    assert run("--codes", "-").returncode == 2
    lines = run("--codes", str(path)).stdout.splitlines()
    width = len("envelope corrections")
    shown = {line[2 : 2 + width].rstrip(): line[3 + width :] for line in lines[1:]}
    assert shown["codes"].startswith(f"{values['code_bits']} bits, ")
    assert shown["envelope corrections"].startswith(f"{values['correction_bits']} bits, ")
    assert shown["damage"] == "none", "all values stand in one column"
    assert sum(line.startswith("  stage ") for line in lines) == CONFIG.stages
