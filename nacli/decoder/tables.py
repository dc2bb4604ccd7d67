"""The check of a file's tables: its codebooks and entropy model must be those of the model."""

from __future__ import annotations

from nacli.checkpoint import Model
from nacli.errors import DamagedHeader, UnknownVersion, WrongModel
from nacli.format import Header


def check_tables(header: Header, model: Model) -> None:
    """Check that a file can be decoded with the tables of `model`.

    Raises:
        UnknownVersion: the file carries tables of its own.
        WrongModel: it names other tables.
        DamagedHeader: its number of stages does not fit the codebooks.
    """
    if header.codebooks.inline is not None or header.entropy.inline is not None:
        raise UnknownVersion("the file has tables embedded, which this version does not read")
    if header.codebooks.digest != model.codebooks.digest:
        raise WrongModel("the file names other codebooks")
    own = (model.entropy.KIND, model.entropy.digest)
    if (header.entropy.kind, header.entropy.digest) != own:
        raise WrongModel("the file names another entropy model")
    if header.stream.stages != model.codebooks.stages:
        raise DamagedHeader("the codebooks do not have the header's stages")
