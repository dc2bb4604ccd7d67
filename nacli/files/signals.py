"""Turn signals that end a process into exceptions, so that incomplete outputs are deleted."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a process without an exception by default."""


def exit_on_signals() -> None:
    """Exit on SIGTERM and SIGHUP with the status 128 plus the signal's number. A signal that is
    ignored at the start, as by nohup, stays ignored. SIGINT raises KeyboardInterrupt anyway."""
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _exit)


def end_on_signals() -> None:
    """Restore the default handlers, after everything is cleaned up: while Python exits, an
    exception would be lost, or would interrupt what Python waits for."""
    for number in (*ENDING, signal.SIGINT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _exit(number: int, _: object) -> NoReturn:
    """Exit, and ignore further signals, which would interrupt the clean-up."""
    for each in ENDING:
        signal.signal(each, lambda *_: None)
    sys.exit(128 + number)
