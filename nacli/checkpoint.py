"""The pretrained model: found, checked, loaded, and its identity.

A checkpoint is two files of one name: `<name>.json` (the configuration) and `<name>.safetensors`
(weights as float16, codebooks as int8 with scales, the integers of the entropy model). Weights are
read without pickle. Torch is imported when a network first runs, not before.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nacli.config import ModelConfig
from nacli.dsp.filterbank import BANDS
from nacli.dsp.high_band import has_high_band
from nacli.entropy import CorrectionTables, EntropyModel, HighBandTables, LearnedModel, StaticTables
from nacli.envelope.post_filter import GainNetwork
from nacli.envelope.predictor import CorrectionPredictor, DecayPredictor, LearnedPredictor
from nacli.errors import BadCheckpoint
from nacli.quantizer.rvq import Codebooks

if TYPE_CHECKING:
    from nacli.networks import Networks

NAME = "nacli-24k"
Tensors = dict[str, NDArray[Any]]
LEARNED = "entropy.learned."
"""Before the names of the learned entropy model's tensors."""
POSTFILTER = "postfilter."
"""Before those of the post-filter's."""
PREDICTOR = "predictor."
"""And of the network that expects corrections."""
HIGH_BAND = ("entropy.high_numbers", "entropy.high")
"""The tables of the high band."""


def default_path() -> Path:
    """The shipped checkpoint's weights: inside the installed package, or in the source tree."""
    here = Path(__file__).parent
    for folder in (here / "models", here.parent / "models"):
        path = folder / f"{NAME}.safetensors"
        if path.exists():
            return path
    raise BadCheckpoint(f"the pretrained model {NAME}.safetensors is not installed with nacli")


class Model:
    """A frozen checkpoint: configuration, codebooks, entropy tables, networks and digest."""

    def __init__(self, config: ModelConfig, tensors: Tensors) -> None:
        self.config, self.tensors = config, tensors
        try:
            self.codebooks = Codebooks(
                tensors["codebooks.entries"],
                tensors["codebooks.scales"],
                Codebooks(tensors["trims.entries"], tensors["trims.scales"])
                if config.correction_stages
                else None,
            )
            if (corrections := self.codebooks.corrections) and corrections.vectors.shape[
                2
            ] != BANDS:
                raise ValueError(f"corrections are not of {BANDS} bands")
            tables = (tensors["entropy.gains"], tensors["entropy.codes"])
            gains, codes = (table.astype(np.int64) for table in tables)
            self.tables = StaticTables(
                gains, codes, _correction_tables(tensors), _high_tables(tensors)
            )
            self.entropy: EntropyModel = self._learned() or self.tables
            self.postfilter = self._postfilter()
            self.predictor = self._predictor()
        except (KeyError, ValueError) as error:
            raise BadCheckpoint(
                f"the checkpoint has no valid quantiser, tables or filter: {error}"
            ) from error

    def _learned(self) -> LearnedModel | None:
        """The learned entropy model, where the checkpoint has one; it shares the tables of gains,
        corrections and the high band."""
        found = self._named(LEARNED)
        if not found:
            return None
        shared = {"gains": self.tables.gain_table}
        side = (self.tables.corrections, self.tables.high)
        return LearnedModel(found | shared, self.codebooks.entries, *side)

    def _postfilter(self) -> GainNetwork | None:
        """The network of the post-filter, where the checkpoint has one."""
        found = self._named(POSTFILTER)
        return GainNetwork(found) if found else None

    def _predictor(self) -> CorrectionPredictor:
        """The network that expects corrections, where the checkpoint has one."""
        found = self._named(PREDICTOR)
        return LearnedPredictor(found) if found else DecayPredictor(self.config.correction_memory)

    def _named(self, prefix: str) -> Tensors:
        """The tensors whose names start like this, by the rest of their names."""
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }

    def codes_high_band(self, sample_rate: int) -> bool:
        """Whether streams at this rate have a high band."""
        return self.entropy.high.bands > 0 and has_high_band(sample_rate)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical content: the configuration, then each tensor by name."""
        return content_digest(self.config, self.tensors)

    @cached_property
    def networks(self) -> Networks:
        """Encoder and Decoder, built when first asked for."""
        from nacli.networks import Networks

        weights = {
            name: tensor
            for name, tensor in self.tensors.items()
            if name.startswith(("encoder.", "decoder."))
        }
        try:
            return Networks(self.config, weights)
        except RuntimeError as error:
            raise BadCheckpoint(f"the weights do not fit the configuration: {error}") from error


def _correction_tables(tensors: Tensors) -> CorrectionTables | None:
    if "entropy.trims" not in tensors:
        return None
    names = ("entropy.trim_numbers", "entropy.trims")
    return CorrectionTables(*(tensors[name].astype(np.int64) for name in names))


def _high_tables(tensors: Tensors) -> HighBandTables | None:
    """Those of the high band, where the checkpoint has them."""
    if HIGH_BAND[1] not in tensors:
        return None
    return HighBandTables(*(tensors[name].astype(np.int64) for name in HIGH_BAND))


def content_digest(config: ModelConfig, tensors: Tensors) -> bytes:
    """SHA-256 over the sorted JSON configuration and every tensor's name, type, shape and bytes."""
    state = hashlib.sha256(json.dumps(config.to_json(), sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        state.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        state.update(tensor.data)
    return state.digest()


def load_checkpoint(path: Path | None = None) -> Model:
    """Read a checkpoint by its `.safetensors` path; the shipped one by default.

    Raises `BadCheckpoint` when a file is missing, damaged, or does not fit its configuration.
    """
    path = path or default_path()
    settings = path.with_suffix(".json")
    if path == settings:
        raise BadCheckpoint(f"{path}: a checkpoint is named by its .safetensors file")
    try:
        weights, text = path.read_bytes(), settings.read_text()
    except OSError as error:
        place = "" if error.filename == str(path) else f"{settings.name} beside it: "
        raise BadCheckpoint(f"{path}: {place}{error.strerror}") from error
    except ValueError as error:
        raise BadCheckpoint(f"{path}: {settings.name} beside it is no text: {error}") from error
    try:
        config = ModelConfig.from_json(json.loads(text)["model"])
        return Model(config, load(weights))
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BadCheckpoint(f"{path}: not a usable checkpoint: {error}") from error


def save_checkpoint(
    path: Path, config: ModelConfig, tensors: Tensors, notes: dict[str, Any]
) -> None:
    """Write `<path>` and its JSON beside it; `notes` says how the checkpoint was made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save({name: np.ascontiguousarray(t) for name, t in tensors.items()}))
    text = json.dumps({"model": config.to_json(), **notes}, indent=2)
    path.with_suffix(".json").write_text(text + "\n")
