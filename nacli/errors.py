"""Every failure that nacli reports, each cause with its own exit code; `exit_codes` lists them.

The first line of an error's docstring is its cause in the help of the command line.
"""

from __future__ import annotations


class NacliError(Exception):
    """Root of all errors that nacli raises on purpose; `str(error)` is one clear line."""

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
    """The codes read back are not those that the encoder meant."""

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
    """A number of things in words, as messages say it: `1 byte`, `2 bytes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


PIPE_CLOSED = 141
"""Exit code where the reader of our output has gone away: 128 and SIGPIPE, as shells count."""


def exit_code(error: NacliError) -> int:
    """What a process ends with because of `error`. A reader that has gone away, as `head` does, is
    a failure that nobody needs to hear of."""
    return PIPE_CLOSED if isinstance(error.__cause__, BrokenPipeError) else error.exit_code


def exit_codes() -> dict[int, str]:
    """Every exit code of the command line and its cause as a sentence, in ascending order."""
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
    return (error.__doc__ or "").partition("\n")[0]  # there are no docstrings under python -OO
