"""The progress of a conversion or a batch: seconds of audio done, speed and time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread

from nacli.cli.bar import Line

MIN_SPEED_SECONDS = 0.5
"""Elapsed time from which on a speed is shown."""


class ProgressTracker:
    """Seconds of audio that are done of each job, and their sum. A context manager.

    `length` returns the seconds of a job by the header of its input, or None. A thread calls it,
    from the first line on, so that no conversion waits for it. The total is known when all lengths
    are. That thread reads `_lengths` and fills a queue; only the calling thread changes the rest.
    """

    def __init__(self, count: int, length: Callable[[int], float | None], label: str = "") -> None:
        self._label, self._count = label, count
        self._lengths: list[float | None] = [None] * count
        self._done = [0.0] * count
        self._sum, self._total, self._unknown, self._files = 0.0, 0.0, count, 0
        self._read_lengths: SimpleQueue[tuple[int, float | None]] = SimpleQueue()
        self._stop = Event()
        self._thread = Thread(target=self._read_headers, args=(length,), daemon=True)
        self._first: tuple[float, float] | None = None

    def __enter__(self) -> ProgressTracker:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    def update(self, number: int, seconds: float, total: float | None) -> None:
        """Note that a job has done `seconds` of its `total`, which is None while it is unknown."""
        self._sum += seconds - self._done[number]
        self._done[number] = seconds
        if total is not None:
            self._set_length(number, total)
        if self._first is None:
            self._first = time.monotonic(), self._sum

    def finish(self, number: int, seconds: float) -> None:
        """Note that a job has ended, well or not, with `seconds` of audio."""
        self.update(number, seconds, seconds)
        self._files += 1

    def line(self) -> Line:
        """Return the present content of the bar."""
        if self._unknown and self._thread.ident is None:
            self._thread.start()
        self._take_lengths()
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
        """Return the speed in times real time since the first audio was done, which leaves out the
        time for loading; 0 while it is unknown."""
        if self._first is None or (wall := time.monotonic() - self._first[0]) < MIN_SPEED_SECONDS:
            return 0.0
        return (self._sum - self._first[1]) / wall

    def _read_headers(self, length: Callable[[int], float | None]) -> None:
        for number in range(self._count):
            if self._stop.is_set():
                return
            if self._lengths[number] is None:
                self._read_lengths.put((number, length(number)))

    def _take_lengths(self) -> None:
        try:
            while True:
                number, length = self._read_lengths.get_nowait()
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
    """Return a time as `0:07`, `12:34` or `1:02:33`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float, decimals: int = 1) -> str:
    """Return a length in a unit that suits it: `3.2 s`, `12:34` or `3.1 h`."""
    if round(seconds, decimals) < 60:
        return f"{seconds:.{decimals}f} s"
    return clock(seconds) if round(seconds) < 3600 else f"{seconds / 3600:.1f} h"


def header_lengths(
    tasks: Sequence[tuple[str, str]], length: Callable[[str, str], float | None]
) -> Callable[[int], float | None]:
    """Return the `length` of a `ProgressTracker` for tasks (source, target). Errors are ignored:
    the conversion reports them."""

    def length_of(number: int) -> float | None:
        try:
            return length(*tasks[number])
        except Exception:
            return None

    return length_of
