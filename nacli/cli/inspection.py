"""The command that inspects: it parses, calls and prints."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from nacli.cli.commands import INPUTS
from nacli.cli.group import one_line, report
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
    """This command shows what .nac files hold.

    It lists duration, format, bitrate, model, tags and damage, and it changes nothing.
    """
    from nacli.cli.table import code_table, table
    from nacli.inspection.info import check_info, read_info, to_json

    if check and as_json:
        raise click.UsageError("--check or --json, not both")
    if with_codes and (check or "-" in inputs):
        raise click.UsageError("--codes goes without --check, and reads no pipe but files, twice")
    found, codes = [], []
    for path in inputs:
        try:
            with naming(path):
                found.append((path, read_info(path), _code_counts(path) if with_codes else {}))
                if check:
                    check_info(found[-1][1])
                    click.echo(f"{one_line(input_name(path))}: whole")
        except NacliError as error:
            codes.append(report(error))
    if as_json:
        values = [
            {"file": utf8_text(path), **to_json(file), **counts} for path, file, counts in found
        ]
        for value in [values] if len(inputs) > 1 else values:
            click.echo(json.dumps(value, indent=2))
    elif found and not check:
        tables = (
            "\n".join([table(path, file), *([code_table(counts)] if counts else [])])
            for path, file, counts in found
        )
        click.echo("\n\n".join(tables))
    if codes:
        sys.exit(codes[0])


@click.command("test")
@INPUTS
def check(inputs: tuple[str, ...]) -> None:
    """Check that .nac files are whole. This is `nacli info --check` without a line for whole files:
    the exit code is 0, or that of the first file that is not whole.

    Example: nacli test talk.nac && echo whole
    """
    codes = [code for path in inputs if (code := _check(path))]
    if codes:
        sys.exit(codes[0])


def _check(path: str) -> int:
    """0 if a file is whole; else say what is wrong and return the exit code."""
    from nacli.inspection.info import check_info, read_info

    try:
        with naming(path):
            check_info(read_info(path))
    except NacliError as error:
        return report(error)
    return 0


def _code_counts(path: str) -> dict[str, Any]:
    """What `info --codes` adds; it needs the model, which plain `info` does not."""
    from nacli.api import load_model
    from nacli.inspection.bit_budget import count_codes

    return count_codes(path, load_model()).to_json()
