"""The tables that a file names: its own where it carries them, else the model's."""

from __future__ import annotations

from nacli.checkpoint import Model
from nacli.config import ModelConfig
from nacli.dsp.filterbank import BANDS
from nacli.dsp.high_band import BANDS as HIGH_BANDS
from nacli.dsp.high_band import LEVELS
from nacli.entropy import EntropyModel, read_entropy_model
from nacli.errors import DamagedHeader, WrongModel
from nacli.format import Header
from nacli.quantizer.rvq import Codebooks


def read_tables(header: Header, model: Model) -> tuple[Codebooks, EntropyModel]:
    """Codebooks and entropy model of a file.

    Raises `DamagedHeader` where what it carries is not sound or does not fit, `WrongModel` where it
    names what neither it nor `model` has.
    """
    codebooks, entropy = model.codebooks, model.entropy
    section = header.entropy
    try:
        if header.codebooks.inline is not None:
            codebooks = Codebooks.from_bytes(header.codebooks.inline)
        if section.inline is not None:
            entropy = read_entropy_model(section.kind, section.inline, codebooks.entries)
    except ValueError as error:
        raise DamagedHeader(str(error)) from error
    if codebooks.digest != header.codebooks.digest:
        raise WrongModel("the file names other codebooks")
    if (entropy.KIND, entropy.digest) != (section.kind, section.digest):
        raise WrongModel("the file names another entropy model")
    if codebooks.stages != header.stream.stages:
        raise DamagedHeader("the codebooks do not have the header's stages")
    _check_fit(codebooks, entropy, model.config)
    return codebooks, entropy


def _check_fit(codebooks: Codebooks, entropy: EntropyModel, config: ModelConfig) -> None:
    """`DamagedHeader` where tables do not fit the model or each other."""
    corrections = codebooks.corrections
    if (codebooks.stages, codebooks.vectors.shape[2]) != (config.stages, config.latent_dim):
        raise DamagedHeader("the codebooks do not fit the model")
    if (corrections.stages if corrections else 0) != config.correction_stages:
        raise DamagedHeader("the codebooks of corrections do not fit the model")
    if corrections and corrections.vectors.shape[2] != BANDS:
        raise DamagedHeader("the codebooks of corrections do not have the model's bands")
    if entropy.shape != codebooks.vectors.shape[:2]:
        raise DamagedHeader("the entropy model does not fit the codebooks")
    if (entropy.corrections.stages, entropy.corrections.size) != (
        corrections.vectors.shape[:2] if corrections else (0, 0)
    ):
        raise DamagedHeader("the correction tables do not fit the codebooks")
    if entropy.high.bands and (entropy.high.bands, entropy.high.levels) != (HIGH_BANDS, LEVELS):
        raise DamagedHeader("the tables of the high band do not have its bands and levels")
