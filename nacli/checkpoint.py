"""Checkpoints: reading, checking and writing a pretrained model, and its digest.

A checkpoint is two files of one name: `<name>.json` (the configuration) and `<name>.safetensors`
(weights as float16, codebooks as int8 with scales, entropy model as integers). Weights are read
without pickle.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nacli.adaptive_filter import FilterNetwork
from nacli.adaptive_filter.sizes import HOP
from nacli.config import ModelConfig
from nacli.dsp.filterbank import BANDS
from nacli.dsp.high_band import has_high_band
from nacli.entropy import CorrectionTables, EntropyModel, HighBandTables, LearnedModel, StaticTables
from nacli.envelope.predictor import CorrectionPredictor
from nacli.errors import BadCheckpoint
from nacli.quantizer.rvq import Codebooks
from nacli.tensor_file import Tensors, read_tensors

if TYPE_CHECKING:
    from nacli.networks import Networks

NAME = "nacli-24k"
LEARNED = "entropy.learned."
"""Prefix of the names of the learned entropy model's tensors."""
FILTER = "filter."
"""Prefix of the names of the adaptive filter's tensors."""
HIGH_BAND = ("entropy.high_numbers", "entropy.high")
"""Names of the tables of the high band."""


def default_path() -> Path:
    """Return the path of the shipped checkpoint's weights, in the package or in the source tree.
    Raises `BadCheckpoint` where there are none."""
    here = Path(__file__).parent
    for folder in (here / "models", here.parent / "models"):
        path = folder / f"{NAME}.safetensors"
        if path.exists():
            return path
    raise BadCheckpoint(f"the pretrained model {NAME}.safetensors is not installed with nacli")


class Model:
    """A frozen checkpoint: configuration, codebooks, entropy tables, networks and digest."""

    def __init__(
        self, config: ModelConfig, tensors: Tensors, engine: str = "auto", device: str = "cpu"
    ) -> None:
        """`engine` and `device` run the networks: one of `nacli.networks.ENGINES` and one of
        `nacli.networks.DEVICES`."""
        self.config, self.tensors = config, tensors
        self._engine, self._device = engine, device
        try:
            self.codebooks = _codebooks(config, tensors)
            self.tables = _static_tables(tensors)
            self.entropy: EntropyModel = self._learned() or self.tables
            self.filter_network = self._filter_network()
            self.predictor = _predictor(config, tensors)
        except (KeyError, ValueError) as error:
            raise BadCheckpoint(
                f"the checkpoint has no valid quantiser, tables or filter: {error}"
            ) from error

    def _learned(self) -> LearnedModel | None:
        """Return the learned entropy model, if the checkpoint has one; it shares the tables of
        gains, corrections and the high band."""
        own = self._named(LEARNED)
        if not own:
            return None
        shared = {"gains": self.tables.gain_table}
        side = (self.tables.corrections, self.tables.high)
        return LearnedModel(own | shared, self.codebooks.entries, *side)

    def _filter_network(self) -> FilterNetwork | None:
        """Return the network of the adaptive filter, if the checkpoint has one. Raises `ValueError`
        where it was trained behind another Decoder."""
        own = self._named(FILTER)
        if not own:
            return None
        network, width = FilterNetwork(own), self.config.width
        if network.features != width or self.config.hop != HOP:
            taken = f"hops of {HOP} samples and {network.features} features"
            raise ValueError(
                f"the adaptive filter takes {taken}, not {self.config.hop} and {width}"
            )
        return network

    def _named(self, prefix: str) -> Tensors:
        """Return the tensors whose names have this prefix, by their names without it."""
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }

    def codes_high_band(self, sample_rate: int) -> bool:
        """Return whether streams of this original rate have a high band."""
        return self.entropy.high.bands > 0 and has_high_band(sample_rate)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical content: the configuration, then each tensor by name."""
        return content_digest(self.config, self.tensors)

    @cached_property
    def networks(self) -> Networks:
        """Encoder and Decoder, built when first asked for."""
        from nacli.networks import load_networks

        weights = {
            name: tensor
            for name, tensor in self.tensors.items()
            if name.startswith(("encoder.", "decoder."))
        }
        try:
            return load_networks(self.config, weights, self._engine, self._device)
        except ValueError as error:
            raise BadCheckpoint(f"the weights do not fit the configuration: {error}") from error


def _codebooks(config: ModelConfig, tensors: Tensors) -> Codebooks:
    """Return the codebooks of latents, with those of the corrections if the configuration has
    any."""
    corrections = None
    if config.correction_stages:
        corrections = Codebooks(tensors["corrections.entries"], tensors["corrections.scales"])
        if corrections.entries.shape[2] != BANDS:
            raise ValueError(f"corrections are not of {BANDS} bands")
    return Codebooks(tensors["codebooks.entries"], tensors["codebooks.scales"], corrections)


def _predictor(config: ModelConfig, tensors: Tensors) -> CorrectionPredictor:
    """Return the predictor of the corrections, if the configuration has any."""
    if not config.correction_stages:
        return CorrectionPredictor.none()
    return CorrectionPredictor(tensors["corrections.means"], tensors["corrections.weights"])


def _static_tables(tensors: Tensors) -> StaticTables:
    gains, codes = (tensors[f"entropy.{name}"].astype(np.int64) for name in ("gains", "codes"))
    return StaticTables(gains, codes, _correction_tables(tensors), _high_tables(tensors))


def _correction_tables(tensors: Tensors) -> CorrectionTables | None:
    """Return the tables of the corrections, if the checkpoint has them."""
    if "entropy.corrections" not in tensors:
        return None
    names = ("entropy.correction_numbers", "entropy.corrections")
    return CorrectionTables(*(tensors[name].astype(np.int64) for name in names))


def _high_tables(tensors: Tensors) -> HighBandTables | None:
    """Return the tables of the high band, if the checkpoint has them."""
    if HIGH_BAND[1] not in tensors:
        return None
    return HighBandTables(*(tensors[name].astype(np.int64) for name in HIGH_BAND))


def content_digest(config: ModelConfig, tensors: Tensors) -> bytes:
    """Return the SHA-256 of the sorted JSON configuration and of the name, type, shape and bytes of
    every tensor."""
    state = hashlib.sha256(json.dumps(config.to_json(), sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        state.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        state.update(tensor.data)
    return state.digest()


def load_checkpoint(path: Path | None = None, engine: str = "auto", device: str = "cpu") -> Model:
    """Read a checkpoint.

    Args:
        path: the path of the `.safetensors` file; None is the shipped one.
        engine, device: what runs the networks: one of `nacli.networks.ENGINES` and one of
            `nacli.networks.DEVICES`.

    Raises:
        BadCheckpoint: a file is missing or damaged, or does not fit its configuration.
        NacliError: the device is not available.
        ValueError: the engine or the device is unknown, or the engine cannot use the device.
    """
    from nacli.networks import choose_device

    device = choose_device(device, engine)
    path = path or default_path()
    settings = path.with_suffix(".json")
    if path == settings:
        raise BadCheckpoint(f"{path}: a checkpoint is named by its .safetensors file")
    try:
        with path.open("rb"):
            text = settings.read_text()
        tensors = read_tensors(path)
    except OSError as error:
        place = "" if error.filename == str(path) else f"{settings.name} beside it: "
        raise BadCheckpoint(f"{path}: {place}{error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadCheckpoint(f"{path}: {settings.name} beside it is not text: {error}") from error
    except ValueError as error:
        raise BadCheckpoint(f"{path}: not a usable checkpoint: {error}") from error
    try:
        config = ModelConfig.from_json(json.loads(text)["model"])
        return Model(config, tensors, engine, device)
    except (ValueError, KeyError, TypeError) as error:
        raise BadCheckpoint(f"{path}: not a usable checkpoint: {error}") from error


def load_model(path: Path | None = None, engine: str = "auto", device: str = "cpu") -> Model:
    """Return the model of a checkpoint, by default the shipped one, which is read once and kept;
    see `load_checkpoint` for the arguments and the errors."""
    if path is None:
        return shipped_model(engine, device)
    return load_checkpoint(path, engine, device)


@cache
def shipped_model(engine: str = "auto", device: str = "cpu") -> Model:
    """Return the model that is shipped with nacli, read once; see `load_checkpoint`."""
    return load_checkpoint(engine=engine, device=device)


def save_checkpoint(
    path: Path, config: ModelConfig, tensors: Tensors, notes: dict[str, Any]
) -> None:
    """Write the weights to `path`, and the configuration and `notes` to a JSON file beside it.

    `notes` say how the checkpoint was made. An older file at `path` may be mapped into memory: it
    is replaced, not changed.
    """
    from safetensors.numpy import save

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(save({name: np.ascontiguousarray(t) for name, t in tensors.items()}))
    partial.replace(path)  # it may be mapped into memory
    text = json.dumps({"model": config.to_json(), **notes}, indent=2)
    path.with_suffix(".json").write_text(text + "\n")
