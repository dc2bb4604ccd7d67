"""Every failure that nacli reports, each cause with its own exit code.

| code | error            | cause                                                                |
|------|------------------|----------------------------------------------------------------------|
| 1    | NacliError       | any other failure                                                    |
| 3    | UnreadableInput  | the input cannot be opened, read or understood as audio              |
| 4    | UnsupportedAudio | a sample rate, channel count or container that nacli does not handle |
| 5    | NotNac           | the input is no .nac file                                            |
| 6    | DamagedHeader    | the header of a .nac file is damaged or cut short                    |
| 7    | DamagedPacket    | a failed CRC, a broken or truncated packet, a missing end record     |
| 8    | WrongModel       | the file was made with another model                                 |
| 9    | UnknownVersion   | a .nac version that this nacli does not know                         |
| 10   | OutputExists     | the output is there already and -f was not given                     |
| 11   | WriteFailed      | the output cannot be written: disk full, no permission               |
| 12   | BadCheckpoint    | the model's files are missing, damaged or contradictory              |
| 13   | Mismatch         | the decoded codes differ from the end record's check value           |
| 14   | Concealed        | damage: the output is as whole as the damaged input allows           |
| 15   | GateFailed       | `nacli bench` found a figure that is worse than the baseline's       |
| 16   | OutOfRange       | the recording ends before the part that was asked for                |

0 is success, 2 a usage error on the command line.
"""

from __future__ import annotations


class NacliError(Exception):
    """Root of all errors that nacli raises on purpose; `str(error)` is one clear line."""

    exit_code = 1


class UnreadableInput(NacliError):
    """The input cannot be opened, read or understood as audio."""

    exit_code = 3


class UnsupportedAudio(NacliError):
    """A sample rate, channel count or container that nacli does not handle."""

    exit_code = 4


class NotNac(NacliError):
    """The input is no .nac file."""

    exit_code = 5


class DamagedHeader(NacliError):
    """The header of a .nac file is damaged or cut short."""

    exit_code = 6


class DamagedPacket(NacliError):
    """A failed CRC, a broken or truncated packet, a missing end record."""

    exit_code = 7


class WrongModel(NacliError):
    """The file was made with another model."""

    exit_code = 8


class UnknownVersion(NacliError):
    """A .nac version that this nacli does not know."""

    exit_code = 9


class OutputExists(NacliError):
    """The output is there already, and nothing said that it may be replaced."""

    exit_code = 10


class WriteFailed(NacliError):
    """The output cannot be written: disk full, no permission."""

    exit_code = 11


class BadCheckpoint(NacliError):
    """The model's files are missing, damaged or contradictory."""

    exit_code = 12


class Mismatch(NacliError):
    """The decoded codes differ from the end record's check value."""

    exit_code = 13


class Concealed(NacliError):
    """The input is damaged. A decoded output is whole in length, but not in sound; an encoded one
    holds what could be read."""

    exit_code = 14


class GateFailed(NacliError):
    """`nacli bench` found a figure that is worse than the baseline's."""

    exit_code = 15


class OutOfRange(NacliError):
    """The recording ends before the part that was asked for, or that part is empty."""

    exit_code = 16


PIPE_CLOSED = 141
"""Exit code where the reader of our output has gone away: 128 and SIGPIPE, as shells count."""


def exit_code(error: NacliError) -> int:
    """What a process ends with because of `error`. A reader that has gone away, as `head` does, is
    a failure that nobody needs to hear of."""
    return PIPE_CLOSED if isinstance(error.__cause__, BrokenPipeError) else error.exit_code
