"""The tables that a file names: its own where it carries them, else the model's."""

from __future__ import annotations

from nacli.checkpoint import Model
from nacli.entropy import EntropyModel, read_entropy_model
from nacli.errors import DamagedHeader, WrongModel
from nacli.format import Header
from nacli.quantize import Codebooks


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
    shape = (codebooks.stages, codebooks.vectors.shape[2])
    if shape != (header.stream.stages, model.config.latent_dim):
        raise DamagedHeader("the codebooks do not fit the model")
    if entropy.shape != codebooks.vectors.shape[:2]:
        raise DamagedHeader("the entropy model does not fit the codebooks")
    return codebooks, entropy
