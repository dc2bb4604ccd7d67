"""Inputs are read in blocks; outputs appear whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nacli.errors import OutputExists, UnreadableInput, WriteFailed
from nacli.files.inputs import read_bytes_blocks
from nacli.files.outputs import Output, atomic_output, check_output


def test_output_appears_whole_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "x.nac"
    with atomic_output(str(target)) as output:
        output.write(b"first")
        assert not target.exists()
        output.write(b" second")
    assert target.read_bytes() == b"first second"
    assert os.listdir(tmp_path) == ["x.nac"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_after_an_exception(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), atomic_output(str(tmp_path / "x.nac")) as output:
        output.write(b"half")
        raise failure
    assert os.listdir(tmp_path) == []


def test_existing_file_is_refused_before_the_work(tmp_path: Path) -> None:
    target = tmp_path / "x.nac"
    target.write_bytes(b"old")
    with pytest.raises(OutputExists, match=r"x\.nac"), atomic_output(str(target)):
        pytest.fail("the work has begun")
    assert target.read_bytes() == b"old"


def test_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "x.nac"
    with pytest.raises(OutputExists), atomic_output(str(target)) as output:
        output.write(b"new")
        target.write_bytes(b"somebody else's")
    assert target.read_bytes() == b"somebody else's"
    assert os.listdir(tmp_path) == ["x.nac"]


def test_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with atomic_output(str(tmp_path / "x.nac")) as output:
        output.write(b"new")
    with pytest.raises(OutputExists), atomic_output(str(tmp_path / "y.nac")) as output:
        (tmp_path / "y.nac").write_bytes(b"old")
    assert (tmp_path / "x.nac").read_bytes() == b"new"
    assert (tmp_path / "y.nac").read_bytes() == b"old"


def test_force_replaces_and_keeps_the_mode(tmp_path: Path) -> None:
    target = tmp_path / "x.nac"
    target.write_bytes(b"old")
    target.chmod(0o600)
    with atomic_output(str(target), force=True) as output:
        output.write(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600


def test_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    with atomic_output(str(tmp_path / "link"), force=True) as output:
        output.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    with (
        pytest.raises(WriteFailed, match="No such file"),
        atomic_output(str(tmp_path / "no" / "x")),
    ):
        pass
    with pytest.raises(WriteFailed, match="Is a directory"):
        check_output(str(tmp_path), force=True)


def test_full_device_is_write_failed() -> None:
    with pytest.raises(WriteFailed, match="No space left"), atomic_output("/dev/full") as output:
        output.write(b"x")
    assert os.path.exists("/dev/full")


def test_full_disk_noticed_late_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteFailed, match="No space left"), atomic_output(str(tmp_path / "x")) as o:
        o.write(b"x")
    assert os.listdir(tmp_path) == []


def test_named_pipe_is_written_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    with atomic_output(str(pipe)) as output:
        output.write(b"through")
    reader.join()
    assert received == [b"through"]


def test_output_writes_all_to_a_stream_that_takes_pieces() -> None:
    class Pieces:
        data = b""

        def write(self, data: memoryview) -> int:
            self.data += bytes(data[:3])
            return min(len(data), 3)

    pieces = Pieces()
    assert Output(pieces, "pieces").write(b"in more than one piece") == 22  # type: ignore[arg-type]
    assert pieces.data == b"in more than one piece"


COPY = """
from nacli.files.inputs import read_bytes_blocks
from nacli.files.outputs import atomic_output
with atomic_output("-") as output:
    for block in read_bytes_blocks("-"):
        output.write(block)
"""


def test_stdin_to_stdout_is_live() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", COPY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as copy:
        assert copy.stdin and copy.stdout
        for block in (b"one", b"two"):
            copy.stdin.write(block)
            copy.stdin.flush()
            assert copy.stdout.read(3) == block
        copy.stdin.close()
        assert copy.stdout.read() == b""


def test_closed_pipe_is_one_error_and_no_noise_at_exit() -> None:
    script = (
        "import sys; from nacli.errors import NacliError\n"
        f"try:\n exec({COPY!r})\nexcept NacliError as error: sys.exit(error.exit_code)"
    )
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-c", script], input=b"x", stdout=write_end, stderr=subprocess.PIPE
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (WriteFailed.exit_code, b"")


def test_reading_blocks(tmp_path: Path) -> None:
    data = os.urandom(200_000)
    (tmp_path / "x").write_bytes(data)
    blocks = list(read_bytes_blocks(str(tmp_path / "x")))
    assert b"".join(blocks) == data
    assert len(blocks) > 1


def test_unreadable_input_names_file_and_cause(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"missing: No such file"):
        list(read_bytes_blocks(str(tmp_path / "missing")))
    with pytest.raises(UnreadableInput, match="Is a directory"):
        list(read_bytes_blocks(str(tmp_path)))
