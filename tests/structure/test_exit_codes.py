"""Exit codes: one for each cause, as the table of the module says."""

from __future__ import annotations

import re

from nacli import errors


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
