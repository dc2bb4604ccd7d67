"""Exit codes: one for each cause."""

from __future__ import annotations

from nacli import errors


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
