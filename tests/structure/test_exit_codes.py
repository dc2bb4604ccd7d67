"""Every cause of failure has its own exit code and a documented line."""

from __future__ import annotations

import pytest

from nacli import errors
from nacli.decoder.timeline import Gap
from nacli.encoder.rate_control import check_bitrate
from nacli.format import Picture, TableSection


def test_every_error_has_its_own_exit_code_and_cause() -> None:
    classes: list[type[errors.NacliError]] = [
        errors.NacliError,
        *errors.NacliError.__subclasses__(),
    ]
    codes = [error.exit_code for error in classes]
    assert len(set(codes)) == len(codes)
    assert not {0, 2} & set(codes)
    listed = errors.exit_codes()
    assert {0, 2, *codes, errors.PIPE_CLOSED} <= set(listed)
    assert all(listed.values())
    assert len(set(listed.values())) == len(listed)


@pytest.mark.parametrize("number", [0, 1, 2, 11])
def test_counts_of_one_are_singular(number: int) -> None:
    plural = "" if number == 1 else "s"
    assert errors.counted(number, "byte") == f"{number} byte{plural}"


def test_messages_about_one_thing_are_singular() -> None:
    with pytest.raises(errors.UnsupportedAudio, match=r"^1 channel in packets of 13"):
        check_bitrate(2, 1, 1, 75)
    with pytest.raises(ValueError, match=r"has 1 byte, not 8$"):
        TableSection(b"x")
    assert str(Picture(3, "image/png", "", 0, 0, 0, 0, b"x")) == "picture (image/png, 1 byte)"
    assert "1 byte not decoded" in str(Gap(0, 0, 8000, "", unread=1))
