"""nacli, a neural audio codec: speech and music at 1.5 to 24 kbps, as files and as pipes.

The names below are the public API. `import nacli` is fast: each name is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nacli.api import decode, encode, load_model
    from nacli.decoder.stream import Decoder
    from nacli.encoder.settings import EncoderSettings
    from nacli.encoder.stream import Encoder
    from nacli.errors import (
        BadCheckpoint,
        Concealed,
        DamagedHeader,
        DamagedPacket,
        GateFailed,
        Mismatch,
        NacliError,
        NotNac,
        OutOfRange,
        OutputExists,
        UnknownVersion,
        UnreadableInput,
        UnsupportedAudio,
        WriteFailed,
        WrongModel,
    )
    from nacli.inspection.info import read_info

__version__ = "0.7.0"

__all__ = [
    "BadCheckpoint",
    "Concealed",
    "DamagedHeader",
    "DamagedPacket",
    "Decoder",
    "Encoder",
    "EncoderSettings",
    "GateFailed",
    "Mismatch",
    "NacliError",
    "NotNac",
    "OutOfRange",
    "OutputExists",
    "UnknownVersion",
    "UnreadableInput",
    "UnsupportedAudio",
    "WriteFailed",
    "WrongModel",
    "__version__",
    "decode",
    "encode",
    "load_model",
    "read_info",
]

_MODULES = {
    "BadCheckpoint": "errors",
    "Concealed": "errors",
    "DamagedHeader": "errors",
    "DamagedPacket": "errors",
    "Decoder": "decoder.stream",
    "Encoder": "encoder.stream",
    "EncoderSettings": "encoder.settings",
    "GateFailed": "errors",
    "Mismatch": "errors",
    "NacliError": "errors",
    "NotNac": "errors",
    "OutOfRange": "errors",
    "OutputExists": "errors",
    "UnknownVersion": "errors",
    "UnreadableInput": "errors",
    "UnsupportedAudio": "errors",
    "WriteFailed": "errors",
    "WrongModel": "errors",
    "decode": "api",
    "encode": "api",
    "load_model": "api",
    "read_info": "inspection.info",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first used (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module 'nacli' has no attribute {name!r}")
    return getattr(importlib.import_module(f"nacli.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
