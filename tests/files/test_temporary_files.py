"""Temporary files: those of dead processes are deleted, others stay, and outputs are synced."""

from __future__ import annotations

import os
import socket
import stat
import time
from pathlib import Path

import pytest

from in_process import tree
from nacli.files import temporary_files
from nacli.files.outputs import atomic_output
from nacli.files.temporary_files import FOREIGN_SECONDS, remove_stale

OLD = 1_000_000_000
"""A time of modification that no new file has."""


def test_only_temporary_files_of_dead_processes_are_deleted(here: Path) -> None:
    host = socket.gethostname()
    stale, foreign, lone = (
        here / name
        for name in (
            f".nacli-{host}-0123456789abcdef.part",
            ".nacli-elsewhere-0123456789abcdef.part",
            ".nacli-0123456789abcdef.part",
        )
    )
    for path in (stale, foreign, lone, here / ".nacli-notes.part"):
        path.touch()
    with atomic_output("x.nac") as output:
        [live] = tree(here) - {stale.name, foreign.name, lone.name, ".nacli-notes.part"}
        assert live.startswith(f".nacli-{host}-")
        os.utime(live, (OLD, OLD))
        remove_stale(".")
        assert tree(here) == {live, foreign.name, lone.name, ".nacli-notes.part"}
        output.write(b"whole")
    assert (here / "x.nac").read_bytes() == b"whole"
    for age, left in ((FOREIGN_SECONDS - 60, 4), (FOREIGN_SECONDS + 60, 2)):
        for path in (foreign, lone):
            os.utime(path, (time.time() - age,) * 2)
        remove_stale(".")
        assert len(tree(here)) == left
    assert tree(here) == {"x.nac", ".nacli-notes.part"}


def test_a_deleted_temporary_file_is_made_again(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its creation and its lock, a temporary file looks like that of a dead process."""
    taken: list[str] = []
    lock = temporary_files._lock

    def cleaned_before(descriptor: int, otherwise: bool) -> bool:
        if not taken:
            taken.extend(tree(here))
            os.unlink(taken[0])
        return lock(descriptor, otherwise)

    monkeypatch.setattr(temporary_files, "_lock", cleaned_before)
    with atomic_output("x.nac") as output:
        output.write(b"whole")
    assert taken
    assert tree(here) == {"x.nac"}


@pytest.mark.parametrize("force", [False, True])
def test_file_and_folder_are_synced(
    here: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda fd: synced.append((stat.S_ISDIR(os.fstat(fd).st_mode), tree(here)))
    )
    with atomic_output("x.nac", force) as output:
        output.write(b"whole")
    (first, before), (second, after) = synced
    assert (first, second) == (False, True)
    assert "x.nac" not in before
    assert "x.nac" in after
