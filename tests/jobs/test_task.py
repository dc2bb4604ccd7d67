"""One file of a batch: its record, the deletion of the input, the verification of the output."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile

from in_process import OLD, RATE, nacli, tree, write_old_tone
from nacli.audio import AudioWriter
from nacli.encoder import packet_writer, stream
from nacli.entropy import ChannelCodes, PacketCodes
from nacli.files.inputs import read_bytes_blocks
from nacli.format import Header, Packet, pack_header, pack_packet
from nacli.inspection.info import read_info
from nacli.jobs import verify
from nacli.jobs.options import DecodeOptions, EncodeOptions
from nacli.jobs.record import Record
from nacli.jobs.task import run_task


def outcome(record: Record) -> tuple[str, int]:
    return record["status"], record["exit_code"]


def test_the_record_of_a_file(here: Path) -> None:
    source, target = str(write_old_tone(here / "x.wav")), str(here / "new" / "x.nac")
    record = run_task(EncodeOptions(make_folders=True), source, target)
    size = os.path.getsize(target)
    assert outcome(record) == ("done", 0)
    assert (record["source"], record["target"], record["error"]) == (source, target, None)
    assert (record["seconds"], record["bytes_in"]) == (0.5, 44 + RATE)
    audio = read_info(target).audio_bytes
    assert (record["bytes_out"], record["kbps"]) == (size, round(audio * 8 / 500, 3))
    assert record["nac_bytes"] == size
    assert record["wall_seconds"] > 0
    assert os.stat(target).st_mtime == OLD
    assert outcome(run_task(EncodeOptions(), source, target)) == ("failed", 10)
    again = run_task(EncodeOptions(skip_existing=True, force=True), source, target)
    assert outcome(again) == ("skipped", 0)
    back = run_task(DecodeOptions(), target, str(here / "y.flac"))
    assert (outcome(back), back["bytes_in"]) == (("done", 0), size)
    assert (back["nac_bytes"], back["kbps"]) == (size, record["kbps"])
    assert (back["seconds"], back["bytes_out"]) == (0.5, os.path.getsize(here / "y.flac"))
    assert os.stat(here / "y.flac").st_mtime == OLD
    missing = run_task(DecodeOptions(), "missing.nac", "z.wav")
    assert outcome(missing) == ("failed", 3)
    assert missing["error"] == "missing.nac: No such file or directory"
    assert json.loads(json.dumps(missing)) == missing


def test_an_unforeseen_error_is_recorded(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("nacli.jobs.encode_file.encode_file", surprise)
    record = run_task(EncodeOptions(), "x.wav", "x.nac")
    assert outcome(record) == ("failed", 1)
    assert record["error"] == "x.wav: ZeroDivisionError: by nothing"


def test_inputs_are_deleted_after_their_output_was_read_back(here: Path) -> None:
    write_old_tone(here / "x.wav")
    assert outcome(run_task(EncodeOptions(delete_input=True), "x.wav", "x.nac")) == ("done", 0)
    assert tree(here) == {"x.nac"}
    for name in ("x.flac", "x.ogg", "x.wav"):
        (here / "y.nac").write_bytes((here / "x.nac").read_bytes())
        assert outcome(run_task(DecodeOptions(delete_input=True), "y.nac", name)) == ("done", 0)
        assert soundfile.info(name).frames == RATE // 2
    assert tree(here) == {"x.nac", "x.flac", "x.ogg", "x.wav"}


def test_empty_audio_files_are_kept_and_empty_nac_files_deleted(here: Path) -> None:
    """An audio file without samples may have lost them, which its .nac file no longer shows."""
    write_old_tone(here / "x.wav", 0)
    record = run_task(EncodeOptions(delete_input=True), "x.wav", "x.nac")
    assert outcome(record) == ("done", 0)
    assert record["warnings"] == ["x.wav: there is no sound in it; the input is kept"]
    for name in ("y.flac", "y.wav"):
        (here / "y.nac").write_bytes((here / "x.nac").read_bytes())
        assert outcome(run_task(DecodeOptions(delete_input=True), "y.nac", name)) == ("done", 0)
    assert tree(here) == {"x.wav", "x.nac", "y.flac", "y.wav"}


def test_inputs_stay_when_the_encoded_file_reads_back_wrong(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_old_tone(here / "x.wav")
    for at in (30, 80, -1):  # header, a packet, the end record

        def rotten(path: str, at: int = at) -> list[bytes]:
            data = bytearray(b"".join(read_bytes_blocks(path)))
            data[at] ^= 1
            return [bytes(data)]

        monkeypatch.setattr(verify, "read_bytes_blocks", rotten)
        record = run_task(EncodeOptions(delete_input=True), "x.wav", "x.nac")
        assert outcome(record) == ("failed", 13), record
        assert (record["error"] or "").startswith("x.nac: ")
        assert tree(here) == {"x.wav"}
    monkeypatch.undo()


def test_inputs_stay_when_the_decoded_file_is_short(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = AudioWriter.write
    write_old_tone(here / "x.wav")
    run_task(EncodeOptions(), "x.wav", "x.nac")
    monkeypatch.setattr(AudioWriter, "write", lambda self, pcm: write(self, pcm[: len(pcm) // 2]))
    record = run_task(DecodeOptions(delete_input=True), "x.nac", "y.wav")
    assert outcome(record) == ("failed", 11)
    assert tree(here) == {"x.wav", "x.nac"}


def test_inputs_that_change_during_the_conversion_stay(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_old_tone(here / "x.wav")
    check = verify.verify_file

    def touching(*arguments: Any) -> None:
        check(*arguments)
        os.utime("x.wav")

    monkeypatch.setattr("nacli.jobs.verify.verify_file", touching)
    record = run_task(EncodeOptions(delete_input=True), "x.wav", "x.nac")
    assert outcome(record) == ("failed", 1)
    assert "changed during the conversion" in (record["error"] or "")
    assert tree(here) == {"x.wav", "x.nac"}


@pytest.mark.parametrize("arguments", [["-", "-o", "x.nac"], ["x.wav", "-o", "-"]])
def test_only_files_are_deleted(here: Path, arguments: list[str]) -> None:
    write_old_tone(here / "x.wav")
    done = nacli("encode", "--delete-input", *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "only files" in done.stderr
    options = EncodeOptions(delete_input=True, force=True)
    assert outcome(run_task(options, "x.wav", "/dev/null")) == ("failed", 1)
    assert tree(here) == {"x.wav"}
    assert os.path.exists("/dev/null")


# Verification while encoding.


def test_verification_does_not_change_the_output(here: Path) -> None:
    write_old_tone(here / "x.wav", 3.3)
    for name, checked in (("plain.nac", False), ("checked.nac", True)):
        options = EncodeOptions(verify=checked, force=True)
        assert outcome(run_task(options, "x.wav", name)) == ("done", 0)
    assert (here / "plain.nac").read_bytes() == (here / "checked.nac").read_bytes()
    piped = nacli("encode", "-V", "x.wav", "-o", "-")
    plain = nacli("encode", "x.wav", "-o", "-")
    assert piped.stdout_bytes == plain.stdout_bytes


Break = Callable[[pytest.MonkeyPatch, Any], None]


def wrong_codes(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    """A payload that is sound, and of other codes."""
    compress = model.entropy.compress

    def other(coded: PacketCodes, placed: object = None) -> bytes:
        channels = [ChannelCodes(c.gains, c.codes ^ 1, c.counts) for c in coded.channels]
        return compress(PacketCodes(channels, coded.angles))

    monkeypatch.setattr(model.entropy, "compress", other)


def flipped_bit(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    def pack(packet: Packet, frames_per_packet: int) -> bytes:
        data = bytearray(pack_packet(packet, frames_per_packet))
        data[-8] ^= 16
        return bytes(data)

    monkeypatch.setattr(packet_writer, "pack_packet", pack)


def lost_packet(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    def pack(packet: Packet, frames_per_packet: int) -> bytes:
        return b"" if packet.sequence == 1 else pack_packet(packet, frames_per_packet)

    monkeypatch.setattr(packet_writer, "pack_packet", pack)


def other_header(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    def pack(header: Header) -> bytes:
        return pack_header(replace(header, tags=("TITLE=another",)))

    monkeypatch.setattr(stream, "pack_header", pack)


def no_end(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    monkeypatch.setattr(packet_writer, "pack_end", lambda end: b"")


@pytest.mark.parametrize("damage", [wrong_codes, flipped_bit, lost_packet, other_header, no_end])
def test_verification_detects_every_kind_of_fault(
    here: Path, monkeypatch: pytest.MonkeyPatch, model: Any, damage: Break
) -> None:
    write_old_tone(here / "x.wav", 3)
    damage(monkeypatch, model)
    assert outcome(run_task(EncodeOptions(), "x.wav", "unnoticed.nac")) == ("done", 0)
    done = nacli("encode", "-V", "x.wav")
    assert done.exit_code == 13
    assert done.stderr.startswith("nacli: x.nac: ")
    assert tree(here) == {"x.wav", "unnoticed.nac"}
