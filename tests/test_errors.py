"""Exit codes: one for each cause, as the table of the module says."""

from __future__ import annotations

import re

import pytest

from nacli import errors
from nacli.allocate import check_bitrate
from nacli.format import Picture, TableSection
from nacli.timeline import Gap


def test_the_table_lists_every_error_with_its_exit_code() -> None:
    assert errors.__doc__
    table = {name: int(code) for code, name in re.findall(r"\| (\d+) +\| (\w+)", errors.__doc__)}
    classes: list[type[errors.NacliError]] = [
        errors.NacliError,
        *errors.NacliError.__subclasses__(),
    ]
    assert table == {error.__name__: error.exit_code for error in classes}
    assert len(set(table.values())) == len(table)
    assert not {0, 2} & set(table.values())


@pytest.mark.parametrize("number", [0, 1, 2, 11])
def test_one_thing_is_singular_in_messages(number: int) -> None:
    plural = "" if number == 1 else "s"
    assert errors.counted(number, "byte") == f"{number} byte{plural}"


def test_messages_with_one_of_a_kind_are_singular() -> None:
    with pytest.raises(errors.UnsupportedAudio, match=r"hold 1 channel in packets of 13 ms"):
        check_bitrate(2, 1, 1, 75)
    with pytest.raises(ValueError, match=r"has 1 byte, not 8$"):
        TableSection(b"x")
    assert str(Picture(3, "image/png", "", 0, 0, 0, 0, b"x")) == "picture (image/png, 1 byte)"
    assert "1 byte not decoded" in str(Gap(0, 0, 8000, "", unread=1))
