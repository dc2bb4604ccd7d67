"""A progress bar on the terminal, and lines that do not collide with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nacli.jobs.convert import Progress


class Bar:
    """A progress bar for work that takes longer than a moment: in seconds of audio, or files."""

    DELAY = 1.0

    def __init__(self, label: str, shown: bool, unit: str = "s") -> None:
        self._label, self._shown, self._unit = label, shown, unit
        self._stack, self._bar = ExitStack(), None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def show(self, progress: Progress) -> None:
        """Move the bar to where `progress` is."""
        expected = progress.expected
        total = None if expected is None else round(expected / progress.sample_rate, 1)
        self.move(round(progress.seconds, 1), total)

    def move(self, at: float, total: float | None) -> None:
        """Move the bar to `at` of `total`, which is None while it is unknown."""
        if self._shown:
            bar = self._bar = self._bar or self._open(total)
            bar.update(at - bar.n)

    def _open(self, total: float | None) -> Any:
        from tqdm import tqdm

        bar = tqdm(total=total, desc=self._label, unit=self._unit, leave=False, delay=self.DELAY)
        return self._stack.enter_context(bar)


@contextmanager
def above_bars(shown: bool) -> Iterator[None]:
    """What the body says on stderr stands above the bars, if any are shown."""
    if not shown:
        yield
        return
    from tqdm import tqdm

    with tqdm.external_write_mode(file=sys.stderr):
        yield
