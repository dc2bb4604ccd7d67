"""Inputs: the bytes of files, pipes and file objects, in blocks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import BinaryIO

from nacli.errors import UnreadableInput
from nacli.files.live import read_live
from nacli.files.names import input_name, naming

BLOCK_BYTES = 1 << 16
"""Bytes that are read at once."""
Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A .nac file: its path ("-" is stdin), its bytes, or a file object in binary mode."""


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn errors that occur while `name` is read into `UnreadableInput`."""
    try:
        yield
    except (OSError, EOFError) as error:
        cause = getattr(error, "strerror", None) or error
        raise UnreadableInput(f"{name}: {cause}") from error


@contextmanager
def open_input(path: str) -> Iterator[BinaryIO]:
    """Open a file, or stdin for "-" (which stays open afterwards). Raises `UnreadableInput`."""
    if path == "-":
        if sys.stdin is None:
            raise UnreadableInput("standard input: closed")
        yield sys.stdin.buffer
        return
    with reading(path):
        stream = open(path, "rb")
    with stream:
        yield stream


def blocks_of(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the bytes of a stream as they arrive: a read from a live pipe returns with the next
    bytes, however few they are. Raises `UnreadableInput`, naming `name`."""
    while True:
        with reading(name):
            block = read_live(stream, BLOCK_BYTES)
        if not block:
            return
        yield block


def read_bytes_blocks(path: str) -> Iterator[bytes]:
    """Yield the bytes of a file, or of stdin for "-", as they arrive. Raises `UnreadableInput`."""
    with open_input(path) as stream:
        yield from blocks_of(stream, input_name(path))


def blocks_from(source: Source) -> Iterator[bytes]:
    """Yield the bytes of a .nac file in blocks; see `Source`.

    Raises `UnreadableInput`, and `TypeError` for anything that is no `Source`.
    """
    if isinstance(source, str | os.PathLike):
        yield from read_bytes_blocks(os.fspath(source))
    elif isinstance(source, bytes | bytearray | memoryview):
        yield bytes(source)
    elif hasattr(source, "read"):
        with reading("the file"):
            while block := source.read(BLOCK_BYTES):
                if not isinstance(block, bytes):
                    raise TypeError("the file is open as text: nacli takes files in binary mode")
                yield block
    else:
        accepted = "a path, bytes, or a file in binary mode"
        raise TypeError(f"source is a {type(source).__name__}, but nacli takes {accepted}")


def naming_source(source: Source) -> AbstractContextManager[None]:
    """Do as `naming` does, if the source is a path."""
    return naming(os.fspath(source)) if isinstance(source, str | os.PathLike) else nullcontext()
