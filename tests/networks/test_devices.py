"""The device that runs the networks: the CPU by default, a GPU through torch where it is chosen."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner

import nacli
from frame_codes import frame_codes
from nacli.checkpoint import shipped_model
from nacli.cli import main
from nacli.config import ModelConfig
from nacli.errors import NacliError
from nacli.jobs import resources
from nacli.networks import choose_device, engines, load_networks
from nacli.networks.torch_engine import Decoder, Encoder, History
from nacli.networks.torch_engine import Networks as TorchNetworks
from small_networks import SMALL

CLIP = Path(__file__).parents[1] / "data" / "talk.flac"
NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@pytest.fixture
def cuda_on_cpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Networks of the device cuda run on the CPU, by the same code. Returns the list of devices for
    which networks are made."""
    made: list[str] = []

    def on_cpu(config: ModelConfig, weights: dict[str, Any], device: str) -> TorchNetworks:
        made.append(device)
        return TorchNetworks(config, weights, "cpu")

    monkeypatch.setattr("nacli.networks.torch_engine.missing_cuda", lambda: None)
    monkeypatch.setattr("nacli.networks.torch_engine.Networks", on_cpu)
    monkeypatch.setattr("nacli.checkpoint.shipped_model", shipped_model.__wrapped__)
    resources.load_model.cache_clear()
    return made


def convert(command: str, source: Path, target: Path, device: str) -> Path:
    """Run a command with this device, and return `target`."""
    arguments = [command, str(source), "-qo", str(target), "--device", device]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert (done.exit_code, done.output) == (0, "")
    return target


def test_commands_on_a_gpu_make_the_codes_and_samples_of_the_cpu(
    cuda_on_cpu: list[str], tmp_path: Path
) -> None:
    coded, decoded = [], []
    for device in ("cpu", "cuda", "auto"):
        coded.append(convert("encode", CLIP, tmp_path / f"{device}.nac", device))
        decoded.append(convert("decode", coded[0], tmp_path / f"{device}.wav", device))
    assert cuda_on_cpu == ["cuda", "cuda"], "one model for each device, not for each file"
    reference = frame_codes(coded[0].read_bytes(), nacli.load_model())
    assert len(reference) > 400
    for path in coded[1:]:
        codes = frame_codes(path.read_bytes(), nacli.load_model())
        same = [np.array_equal(*pair) for pair in zip(codes, reference, strict=True)]
        assert np.mean(same) >= 0.99
    samples = [soundfile.read(path)[0] for path in decoded]
    for other in samples[1:]:
        np.testing.assert_allclose(other, samples[0], rtol=0, atol=2e-4)


@pytest.mark.parametrize(
    "options",
    [{}, {"attention_every": 1}, {"recurrent_layers": 1}, {"pair_blocks": 1}]
    + [{"upsampling": kind} for kind in ("transposed", "interpolation")]
    + [{"normalize": False}],
    ids=str,
)
def test_every_tensor_of_the_networks_is_on_their_device(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device `meta` has no values, so it works on every machine, and operations on tensors of
    two devices fail as on a GPU."""
    monkeypatch.setattr("nacli.networks.torch_engine.networks._smoothed", lambda gains: gains)
    config = replace(SMALL, lookahead=2, **options)
    encoder, decoder = Encoder(config).to("meta"), Decoder(config).to("meta")
    encoded, decoded = History(), History()
    with torch.no_grad():
        for _ in range(2):  # the second time with the states of the first
            pcm = torch.empty(2, 6 * config.hop, device="meta")
            latents, gains = encoder(pcm, encoded)
            samples = decoder(latents, gains, torch.ones_like(gains), decoded)
            assert {x.device.type for x in (latents, gains, samples)} == {"meta"}
            assert samples.shape == pcm.shape


@NO_GPU
@pytest.mark.parametrize("command", ["encode", "decode"])
def test_without_a_gpu_one_line_names_the_cause(command: str, tmp_path: Path) -> None:
    coded = tmp_path / "talk.nac"
    coded.write_bytes(b"")
    arguments = [command, str(CLIP if command == "encode" else coded), "-o", "out", "--device"]
    done = run(["-m", "nacli", *arguments, "cuda"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "the device cuda is not available: PyTorch 2" in done.stderr
    assert list(tmp_path.iterdir()) == [coded]


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


CONVERSIONS = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch" and "block" in sys.argv:
            raise ImportError("torch is blocked")

sys.meta_path.insert(0, Blocker())
from nacli.cli import main
for options in (["--device", device] for device in sys.argv[1].split(",")):
    main(["encode", {str(CLIP)!r}, "-qfo", "talk.nac", *options], standalone_mode=False)
    main(["decode", "talk.nac", "-qfo", "talk.wav", *options], standalone_mode=False)
print("torch" in sys.modules)
"""


def test_the_cpu_never_imports_torch_and_auto_works_without_it(tmp_path: Path) -> None:
    done = run(["-c", CONVERSIONS, "cpu"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")
    done = run(["-c", CONVERSIONS, "auto", "block"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")
    done = run(["-c", CONVERSIONS, "cuda", "block"], tmp_path)
    assert done.returncode == 1
    assert "PyTorch is needed and cannot be imported: torch is blocked" in done.stderr


def test_cpu_is_the_default_device() -> None:
    assert choose_device("cpu") == "cpu"
    assert nacli.load_model()._device == "cpu"
    parameters = {option.name: option for option in main.commands["encode"].params}
    assert parameters["device"].default == "cpu"
    device = parameters["device"].type
    assert isinstance(device, click.Choice) and tuple(device.choices) == engines.DEVICES


@pytest.mark.parametrize(("engine", "device"), [("auto", "gpu"), ("fast", "cpu")])
def test_unknown_names_are_refused(engine: str, device: str) -> None:
    with pytest.raises(ValueError, match=r"unknown (device 'gpu'|engine 'fast'): it is one of"):
        nacli.load_model(engine=engine, device=device)


def test_the_numpy_engine_runs_on_the_cpu_only() -> None:
    assert choose_device("auto", "numpy") == "cpu"
    with pytest.raises(ValueError, match="the NumPy engine runs on the CPU only"):
        nacli.load_model(engine="numpy", device="cuda")


@NO_GPU
def test_the_api_raises_the_error_when_the_model_is_loaded() -> None:
    assert choose_device("auto") == "cpu"
    with pytest.raises(NacliError, match="the device cuda is not available"):
        nacli.load_model(device="cuda")


def test_the_error_of_a_gpu_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = nacli.load_model().tensors
    weights = {k: v for k, v in tensors.items() if k.startswith(("encoder.", "decoder."))}
    networks = load_networks(nacli.load_model().config, weights, "torch")

    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTry less.")

    monkeypatch.setattr(networks.encoder, "forward", fail)  # type: ignore[attr-defined]
    with pytest.raises(NacliError, match=r"the GPU failed: CUDA out of memory\. Try less\."):
        networks.analyze(np.zeros((1, 320), dtype=np.float32), networks.new_history())
