"""`nacli info` and `nacli test`: the options and the output."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from nacli.cli.conversion import INPUTS
from nacli.cli.group import one_line, report_error
from nacli.cli.help import examples
from nacli.errors import NacliError
from nacli.files.names import input_name, naming, utf8_text


@click.command(epilog=examples("nacli info talk.nac", "nacli info --check archive/*.nac"))
@INPUTS
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="The output is JSON: an object for one file, and a list for several.",
)
@click.option(
    "--check",
    is_flag=True,
    help="The output only says whether each file is whole; if not, the exit code is 7.",
)
@click.option(
    "--codes",
    "with_codes",
    is_flag=True,
    help="The output includes the bits of every stage; this needs the model.",
)
def info(inputs: tuple[str, ...], as_json: bool, check: bool, with_codes: bool) -> None:
    """This command inspects .nac files.

    It prints duration, format, bitrate, model, tags and damage, and it changes nothing.
    """
    from nacli.cli.info_table import table
    from nacli.inspection.info import read_info
    from nacli.inspection.info_json import to_json

    if check and as_json:
        raise click.UsageError("--check and --json exclude each other")
    if with_codes and check:
        raise click.UsageError("--codes and --check exclude each other")
    if with_codes and "-" in inputs:
        raise click.UsageError("--codes reads a file twice, so it cannot be stdin")
    if check:
        _check_files(inputs, say_whole=True)
        return
    files, codes = [], []
    for path in inputs:
        try:
            with naming(path):
                files.append((path, read_info(path), _code_counts(path) if with_codes else {}))
        except NacliError as error:
            codes.append(report_error(error))
    if as_json:
        values = [
            {"file": utf8_text(path), **to_json(file), **counts} for path, file, counts in files
        ]
        for value in [values] if len(inputs) > 1 else values:
            click.echo(json.dumps(value, indent=2))
    elif files:
        click.echo("\n\n".join(table(*entry) for entry in files))
    if codes:
        sys.exit(codes[0])


@click.command(
    "test", epilog=examples("nacli test talk.nac && echo whole", "nacli test archive/*.nac")
)
@INPUTS
def check(inputs: tuple[str, ...]) -> None:
    """This command checks .nac files for damage.

    It prints nothing for a whole file, one line for any other, and returns the exit code of the
    first file that is not whole. `nacli info --check` also prints the whole files.
    """
    _check_files(inputs, say_whole=False)


def _check_files(paths: tuple[str, ...], say_whole: bool) -> None:
    """Check all files; exit with the code of the first that is not whole."""
    from nacli.inspection.info import check_info, read_info

    codes = []
    for path in paths:
        try:
            with naming(path):
                check_info(read_info(path))
        except NacliError as error:
            codes.append(report_error(error))
            continue
        if say_whole:
            click.echo(f"{one_line(input_name(path))}: whole")
    if codes:
        sys.exit(codes[0])


def _code_counts(path: str) -> dict[str, Any]:
    """Return what `info --codes` adds; unlike the rest it needs the model."""
    from nacli.api import load_model
    from nacli.inspection.bit_budget import count_codes

    return count_codes(path, load_model()).to_json()
