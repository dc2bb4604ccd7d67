"""Signals that end a process: as exceptions, so that what is half-written is cleaned up."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

ENDING = (signal.SIGTERM, signal.SIGHUP)


def exit_on_signals() -> None:
    """Exit with 128 and the signal's number on SIGTERM and SIGHUP; one that is ignored from the
    start, as nohup does, stays ignored. SIGINT is Python's KeyboardInterrupt."""
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _exit)


def end_on_signals() -> None:
    """End as any process would: all is cleaned up, and while Python itself exits an exception would
    be lost, or cut short what it waits for."""
    for number in (*ENDING, signal.SIGINT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _exit(number: int, _: object) -> NoReturn:
    for each in ENDING:  # another one would interrupt the cleaning up
        signal.signal(each, lambda *_: None)
    sys.exit(128 + number)
