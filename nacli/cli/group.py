"""The command group: how every command ends, with which message and exit code."""

from __future__ import annotations

import atexit
import gc
import signal
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NoReturn

import click

from nacli import __version__
from nacli.cli.help import exit_code_list
from nacli.errors import PIPE_CLOSED, NacliError, WriteFailed, exit_code
from nacli.files.signals import end_on_signals, exit_on_signals
from nacli.files.standard_streams import drop_output, open_closed_streams

INTERRUPTED = 128 + signal.SIGINT
COMMANDS = {
    "encode": "encode.encode",
    "decode": "decode.decode",
    "info": "inspection.info",
    "test": "inspection.check",
    "bench": "bench.bench",
}
"""The commands by name: the module in `nacli.cli` that defines each, and its name there."""


class LazyCommands(Mapping[str, click.Command]):
    """The commands by name. A command is imported when it is looked up, so that a command starts
    without the imports of the others."""

    def __getitem__(self, name: str) -> click.Command:
        module, attribute = COMMANDS[name].split(".")
        command: click.Command = getattr(import_module(f"nacli.cli.{module}"), attribute)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Nacli(click.Group):
    """Commands that end with the exit code of their cause."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        open_closed_streams()
        try:
            return super().main(*args, **kwargs)
        except OSError as error:  # while a help text is printed, before a command is invoked
            _leave_stdout(report_error(WriteFailed(f"standard output: {error.strerror or error}")))

    def invoke(self, ctx: click.Context) -> Any:
        exit_on_signals()
        try:
            result = super().invoke(ctx)
            # At exit Python need not look through all objects for garbage. After an error it does:
            # some libraries complain about what tracebacks keep.
            atexit.register(gc.freeze)
            return result
        except NacliError as error:
            sys.exit(report_error(error))
        except KeyboardInterrupt as interrupt:
            if sys.stderr.isatty():  # the message follows the ^C that the terminal shows
                complain(f"interrupted{interrupt}")
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            _leave_stdout(PIPE_CLOSED)
        except OSError as error:  # those of named files have become NacliErrors
            name = error.filename or "standard output"
            _leave_stdout(report_error(WriteFailed(f"{name}: {error.strerror or error}")))
        finally:
            end_on_signals()


@click.group(
    cls=Nacli,
    commands=LazyCommands(),
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=exit_code_list(),
)
@click.version_option(__version__, prog_name="nacli")
def main() -> None:
    """nacli is a neural audio codec.

    It stores speech and music at 1.5 to 24 kbps. `nacli encode talk.wav` writes talk.nac, and
    `nacli decode talk.nac` writes talk.wav. A file named - is stdin or stdout. `nacli COMMAND
    --help` explains a command.
    """


def report_error(error: NacliError) -> int:
    """Print the error as one line on stderr; return its exit code."""
    code = exit_code(error)
    complain(str(error), code)
    return code


def complain(message: str, code: int = 1) -> None:
    """Print one line on stderr, unless the reader of the output closed the pipe."""
    if code != PIPE_CLOSED:
        say(f"nacli: {one_line(message)}")


def say(line: str) -> None:
    """Print a line on stderr. Where it cannot be written, as on a full disk, it is lost and the
    work goes on; a closed pipe ends the work with `BrokenPipeError`."""
    try:
        click.echo(line, err=True)
    except BrokenPipeError:
        raise
    except OSError:
        drop_output(sys.stderr)


def one_line(text: str) -> str:
    """Return `text` with ? for control characters: text from a file must not move the cursor."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _leave_stdout(code: int) -> NoReturn:
    """Exit without the error that Python prints when it cannot flush stdout."""
    drop_output(sys.stdout)
    sys.exit(code)
