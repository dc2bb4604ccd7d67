"""The command group: how every command of nacli ends."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

import click

from nacli import __version__
from nacli.errors import PIPE_CLOSED, NacliError, WriteFailed, exit_code
from nacli.files.signals import end_on_signals, exit_on_signals

INTERRUPTED = 128 + signal.SIGINT


class Nacli(click.Group):
    """Commands that end with the exit code of their cause; output that is not whole is deleted."""

    def invoke(self, ctx: click.Context) -> Any:
        exit_on_signals()
        try:
            return super().invoke(ctx)
        except NacliError as error:
            sys.exit(report(error))
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            _leave_stdout(PIPE_CLOSED)
        except OSError as error:  # of inputs and outputs that have names, all are NacliErrors
            name = error.filename or "standard output"
            _leave_stdout(report(WriteFailed(f"{name}: {error.strerror or error}")))
        finally:
            end_on_signals()


@click.group(cls=Nacli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nacli")
def main() -> None:
    """A neural audio codec: speech and music at 1.5 to 24 kbps.

    `-` as a file is stdin or stdout. Exit codes: 0 success, 2 usage, and one for each cause of
    failure (see the README).
    """


def report(error: NacliError) -> int:
    """Say on stderr, in one line, what went wrong; return the exit code."""
    code = exit_code(error)
    complain(str(error), code)
    return code


def complain(message: str, code: int = 1) -> None:
    """One line on stderr, unless it is only a reader of our output that has gone away."""
    if code != PIPE_CLOSED:
        click.echo(f"nacli: {one_line(message)}", err=True)


def one_line(text: str) -> str:
    """`text` fit for a terminal: what comes from a file must not move the cursor or break lines."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _leave_stdout(code: int) -> NoReturn:
    """Exit without Python's own complaint when it flushes stdout once more."""
    with suppress(OSError):  # a stdout that is no file, as in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
