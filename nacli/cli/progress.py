"""How far the audio of one file or of a batch has come, how fast, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread

from nacli.cli.bar import Line

LEAST_PACE_SECONDS = 0.5
"""On the clock, before a speed is worth showing."""


class Course:
    """Seconds of audio done of each job, and of all. A context manager.

    `length` tells the seconds of a job by the header of its input, or None. It is called in a
    thread, from the first line on, so that no file waits for it. The total is known when all
    lengths are.
    """

    def __init__(self, count: int, length: Callable[[int], float | None], label: str = "") -> None:
        self._label, self._count = label, count
        self._lengths: list[float | None] = [None] * count
        self._done = [0.0] * count
        self._ended = [False] * count
        self._sum, self._total, self._unknown, self._files = 0.0, 0.0, count, 0
        self._found: SimpleQueue[tuple[int, float | None]] = SimpleQueue()
        self._stop = Event()
        self._thread = Thread(target=self._find, args=(length,), daemon=True)
        self._first: tuple[float, float] | None = None

    def __enter__(self) -> Course:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    def move(self, number: int, seconds: float, expected: float | None) -> None:
        """A job has come to `seconds` of the `expected`, which are None where that is unknown."""
        self._sum += seconds - self._done[number]
        self._done[number] = seconds
        if expected is not None:
            self._set_length(number, expected)
        if self._first is None:
            self._first = time.monotonic(), self._sum

    def end(self, number: int, seconds: float) -> None:
        """A job has ended, well or not, with `seconds` of audio."""
        self.move(number, seconds, seconds)
        self._ended[number] = True
        self._files += 1

    def line(self) -> Line:
        """What there is to say now."""
        if self._unknown and self._thread.ident is None:
            self._thread.start()
        self._take_found()
        total = None if self._unknown or self._total < self._sum else self._total
        speed = self._speed()
        several = self._count > 1
        parts = [f"{self._files}/{self._count} files"] if several else []
        position = clock(self._sum) + (f" of {clock(total)}" if total is not None else "")
        parts.append(position + " audio" * several)
        if speed:
            parts.append(f"{speed:.0f}x" if speed >= 9.95 else f"{speed:.1f}x")
            if total is not None:
                parts.append(f"{clock((total - self._sum) / speed)} left")
        return Line("  ".join(parts), self._sum / total if total else None, self._label)

    def _speed(self) -> float:
        """Times real time since the first audio: what comes before it is preparation."""
        if self._first is None or (wall := time.monotonic() - self._first[0]) < LEAST_PACE_SECONDS:
            return 0.0
        return (self._sum - self._first[1]) / wall

    def _find(self, length: Callable[[int], float | None]) -> None:
        for number in range(self._count):
            if self._stop.is_set():
                return
            if self._lengths[number] is None:
                self._found.put((number, length(number)))

    def _take_found(self) -> None:
        try:
            while True:
                number, length = self._found.get_nowait()
                if length is not None and self._lengths[number] is None:
                    self._set_length(number, length)
        except Empty:
            pass

    def _set_length(self, number: int, seconds: float) -> None:
        before = self._lengths[number]
        self._unknown -= before is None
        self._total += seconds - (before or 0.0)
        self._lengths[number] = seconds


def clock(seconds: float) -> str:
    """`0:07`, `12:34` or `1:02:33`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float, decimals: int = 1) -> str:
    """A length in a sensible unit: `3.2 s`, `12:34` or `3.1 h`."""
    if round(seconds, decimals) < 60:
        return f"{seconds:.{decimals}f} s"
    return clock(seconds) if round(seconds) < 3600 else f"{seconds / 3600:.1f} h"


def lengths_of(
    sources: Sequence[tuple[str, str]], length: Callable[[str, str], float | None]
) -> Callable[[int], float | None]:
    """What `Course` asks, for (source, target) pairs; whatever is wrong with a file will be
    reported when its turn comes."""

    def find(number: int) -> float | None:
        try:
            return length(*sources[number])
        except Exception:
            return None

    return find
