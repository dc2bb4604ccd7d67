"""The check of a file's header: whether this model can decode the stream."""

from __future__ import annotations

from nacli.audio import check_supported
from nacli.checkpoint import Model
from nacli.config import MAX_PACKET_FRAMES
from nacli.decoder.tables import check_tables
from nacli.errors import DamagedHeader, UnsupportedAudio, WrongModel
from nacli.format import Header, short_digest


def check_header(header: Header, model: Model) -> None:
    """Check that a file can be decoded with `model`.

    Raises:
        WrongModel: it was made with another model, or names other tables.
        UnknownVersion: it carries tables of its own.
        DamagedHeader: its rate, channels, frames or stages are impossible.
    """
    stream = header.stream
    own = short_digest(model.digest)
    if header.model != own:
        raise WrongModel(f"made with model {header.model.hex()}, this one is {own.hex()}")
    try:
        check_supported(stream.sample_rate, stream.channels)
    except UnsupportedAudio as error:
        raise DamagedHeader(str(error)) from error
    if stream.hop != model.config.hop or stream.frames_per_packet > MAX_PACKET_FRAMES:
        raise DamagedHeader("the header's frame sizes do not fit the model")
    check_tables(header, model)
