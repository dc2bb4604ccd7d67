"""The command that inspects: it parses, calls and prints."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from nacli.cli.commands import INPUTS
from nacli.cli.group import one_line, report
from nacli.errors import NacliError
from nacli.files.streams import input_name, naming


@click.command()
@INPUTS
@click.option("--json", "as_json", is_flag=True, help="One object, or a list for several files.")
@click.option("--check", is_flag=True, help="Say only whether each file is whole (exit code 7).")
@click.option("--codes", "with_codes", is_flag=True, help="Bits by stage, too; loads the model.")
def info(inputs: tuple[str, ...], as_json: bool, check: bool, with_codes: bool) -> None:
    """Show what .nac files hold; damage is reported, not repaired."""
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
        values = [{"file": path, **to_json(file), **counts} for path, file, counts in found]
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


def _code_counts(path: str) -> dict[str, Any]:
    """What `info --codes` adds; it needs the model, which plain `info` does not."""
    from nacli.api import load_model
    from nacli.inspection.bit_budget import count_codes

    return count_codes(path, load_model()).to_json()
