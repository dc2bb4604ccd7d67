"""Runs commands whose stderr is a pseudo-terminal, and renders its screen."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
import threading
from dataclasses import dataclass
from pathlib import Path

PYTHONPATH = os.pathsep.join(map(str, (Path(__file__).parents[2], Path(__file__).parent)))
"""The tree under test, which may not be the installed one, and the modules of the tests."""
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": PYTHONPATH,
    "OMP_NUM_THREADS": "1",
    "TERM": "xterm",
    "BARS_AT_ONCE": "1",
}


@dataclass(frozen=True)
class Shown:
    """The result of a command: `screen` has the lines at the end, `drawn` every state of a line."""

    code: int
    stdout: bytes
    screen: list[str]
    drawn: list[str]


def run_on_terminal(
    command: list[str],
    cwd: Path,
    stdin: bytes = b"",
    columns: int = 80,
    interrupt_at: str | None = None,
    stdout: int = subprocess.PIPE,
    **environment: str,
) -> Shown:
    """Run a command to its end; Ctrl-C is pressed once the text `interrupt_at` has been written."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=slave,
        env={**ENVIRONMENT, **environment},
        start_new_session=True,
    )
    os.close(slave)
    written = bytearray()

    def read() -> None:
        interrupted = interrupt_at is None
        while block := _read(master):
            written.extend(block)
            if not interrupted and (interrupt_at or "").encode() in written:
                interrupted = True
                written.extend(b"^C")  # as the terminal shows it
                os.killpg(process.pid, signal.SIGINT)

    reader = threading.Thread(target=read)
    reader.start()
    output, _ = process.communicate(stdin)
    reader.join()
    os.close(master)
    screen, drawn = render(written.decode(), columns)
    return Shown(process.returncode, output or b"", screen, drawn)


def _read(master: int) -> bytes:
    try:
        return os.read(master, 1 << 16)
    except OSError:  # nobody has the terminal open any more
        return b""


def render(text: str, columns: int) -> tuple[list[str], list[str]]:
    """Return the lines of a screen after `text`, and every state of a line that the cursor left.

    Knows line feeds, carriage returns, erasing to the end of the line, and wrapping.
    """
    lines, row, column, drawn = [""], 0, 0, []
    for part in re.findall(r"\x1b\[K|[\r\n]|[^\r\n\x1b]|\x1b", text):
        if part in "\r\n":
            drawn.append(lines[row])
            column = 0
            if part == "\n":
                row += 1
                lines.append("")
        elif part == "\x1b[K":
            lines[row] = lines[row][:column]
        else:
            if column == columns:
                row, column = row + 1, 0
                lines.append("")
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + 1 :]
            column += 1
    screen = [line.rstrip() for line in lines]
    while screen and not screen[-1]:
        screen.pop()
    return screen, [line for line in drawn if line]
