"""The errors of nacli, each with its own exit code; `exit_codes` lists them.

The first line of an error's docstring is the cause that `nacli --help` prints.
"""

from __future__ import annotations


class NacliError(Exception):
    """Base class of nacli's errors; `str(error)` is one line that names the file and the cause."""

    exit_code = 1


class UnreadableInput(NacliError):
    """The input cannot be opened, read or understood as audio."""

    exit_code = 3


class UnsupportedAudio(NacliError):
    """The sample rate, channel count, bitrate or container is unsupported."""

    exit_code = 4


class NotNac(NacliError):
    """The input is not a .nac file."""

    exit_code = 5


class DamagedHeader(NacliError):
    """The header of a .nac file is damaged or cut short."""

    exit_code = 6


class DamagedPacket(NacliError):
    """A packet or the end record is damaged or missing."""

    exit_code = 7


class WrongModel(NacliError):
    """The file was made with another model."""

    exit_code = 8


class UnknownVersion(NacliError):
    """This nacli does not know the file's version of the format."""

    exit_code = 9


class OutputExists(NacliError):
    """The output exists, and -f was not given."""

    exit_code = 10


class WriteFailed(NacliError):
    """The output cannot be written; the disk may be full."""

    exit_code = 11


class BadCheckpoint(NacliError):
    """The files of the model are missing, damaged or contradictory."""

    exit_code = 12


class Mismatch(NacliError):
    """The output that was read back differs from what was encoded."""

    exit_code = 13


class Concealed(NacliError):
    """The input was damaged or cut; the output has what could be read."""

    exit_code = 14


class GateFailed(NacliError):
    """`nacli bench` found a figure that is worse than the baseline allows."""

    exit_code = 15


class OutOfRange(NacliError):
    """The recording ends before the requested part, or that part is empty."""

    exit_code = 16


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 byte`, `2 bytes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


PIPE_CLOSED = 141
"""Exit code where the reader of the output closed the pipe: 128 + SIGPIPE, as in shells."""


def exit_code(error: NacliError) -> int:
    """Return the exit code of a process that ends because of `error`. A closed pipe has a code of
    its own and no message: `head` closes it when it has read enough."""
    return PIPE_CLOSED if isinstance(error.__cause__, BrokenPipeError) else error.exit_code


def exit_codes() -> dict[int, str]:
    """Return every exit code with its cause as a sentence, in ascending order."""
    causes = {error.exit_code: _cause(error) for error in NacliError.__subclasses__()}
    general = {
        0: "Everything was done.",
        NacliError.exit_code: "There was another failure, which stderr names.",
        2: "The command line has an unknown option or an impossible combination.",
    }
    signals = {
        129: "SIGHUP ended the command.",
        130: "SIGINT (Ctrl-C) ended the command.",
        PIPE_CLOSED: "The reader of the output closed the pipe.",
        143: "SIGTERM ended the command.",
    }
    return dict(sorted((general | causes | signals).items()))


def _cause(error: type[NacliError]) -> str:
    return (error.__doc__ or "").partition("\n")[0]  # python -OO strips docstrings
