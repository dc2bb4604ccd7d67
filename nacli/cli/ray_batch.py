"""Files on many machines: `python -m nacli.cli.ray_batch encode FOLDER --output-dir FOLDER`.

Ray Data schedules, retries and shows the progress; a row of its dataset is one call of `run_task`.
Ray runs a row again when its process or machine is lost, perhaps after the output was made. So an
existing output is not an error here, and inputs are never deleted.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Generator, Sequence
from dataclasses import replace
from os.path import abspath
from typing import Any

import click

from nacli.cli.batch_report import check_report
from nacli.cli.group import Nacli, complain
from nacli.cli.option_types import take_bitrate
from nacli.cli.paths import PATH, complete_folders
from nacli.cli.planning import Job, Naming, plan
from nacli.cli.run_batch import BatchSettings, collect_results
from nacli.encoder.settings import EncoderSettings
from nacli.errors import NacliError
from nacli.files.names import AUDIO_EXTENSIONS
from nacli.files.signals import exit_on_signals
from nacli.jobs.options import DecodeOptions, EncodeOptions, Options
from nacli.jobs.record import Record, failed_record
from nacli.jobs.resources import load_model
from nacli.jobs.task import run_task

MAX_BLOCKS = 10_000
"""Number of blocks, which Ray schedules and retries: each is one file, unless there are more
files."""
RETRIES = 5
"""Retries of a block whose process has died; by default Ray would never give up."""


def convert(row: dict[str, Any], options: Options) -> dict[str, Any]:
    """Run one job; return its number and its record, in JSON because Arrow refuses file names that
    are not UTF-8."""
    record = run_task(options, *json.loads(row["job"]))
    return {"number": row["number"], "record": json.dumps(record)}


def run_on_ray(
    jobs: Sequence[Job], options: Options, cpus: int
) -> Generator[tuple[int, Record], None, None]:
    """Yield the number and record of every job, in the order in which they end."""
    try:
        import ray.data
    except ImportError as error:
        raise NacliError(f"{error} (pip install 'nacli[ray]')") from error
    able = {number: job for number, job in enumerate(jobs) if not job.fault}
    rows = [{"number": n, "job": json.dumps([j.source, j.target])} for n, j in able.items()]
    if rows:
        ray.data.DataContext.get_current().max_errored_blocks = -1  # the other blocks go on
        how = {"fn_kwargs": {"options": options}, "num_cpus": cpus, "max_retries": RETRIES}
        with warnings.catch_warnings(action="ignore"):  # max_retries will go: see pyproject.toml
            blocks = ray.data.from_items(rows, override_num_blocks=min(len(rows), MAX_BLOCKS))
            made = blocks.map(convert, **how)
        exit_on_signals()  # Ray has installed a handler of its own, with other exit codes
        for row in made.iter_rows():
            del able[row["number"]]
            yield row["number"], json.loads(row["record"])
    for number, job in enumerate(jobs):
        if job.fault or number in able:
            lost = NacliError(f"{job.source}: Ray has given up: its processes died repeatedly")
            yield number, failed_record(job.source, job.target, job.fault or lost)


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="INPUT...")
@click.option(
    "--output-dir",
    required=True,
    metavar="DIR",
    shell_complete=complete_folders,
    help="Outputs go to this folder, which is made if it is missing.",
)
@click.option(
    "-f", "--force", is_flag=True, help="Existing outputs are replaced; by default they are kept."
)
@click.option(
    "--report",
    type=PATH,
    metavar="FILE",
    help="The result of every file is written to this file as JSON.",
)
@click.option(
    "--cpus",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Each file gets N CPUs.",
)
@click.option(
    "--model",
    type=PATH,
    metavar="PATH",
    help="This checkpoint (.safetensors) replaces the built-in one.",
)
@click.option(
    "--bitrate",
    callback=take_bitrate,
    metavar="KBPS",
    help="Every file is encoded at this bitrate: 1.5 to 24.  [default: 6 mono, 10 stereo]",
)
@click.option("-V", "--verify", is_flag=True, help="Every packet is read back and checked.")
def batch(
    inputs: tuple[str, ...],
    output_dir: str,
    force: bool,
    report: str | None,
    cpus: int,
    model: str | None,
    bitrate: float | None,
    verify: bool,
) -> None:
    """This command converts files, and those in folders, on all machines of the cluster."""
    encodes = click.get_current_context().info_name == "encode"
    if not encodes and (bitrate is not None or verify):
        raise click.UsageError("--bitrate and --verify are for encode")
    extensions = AUDIO_EXTENSIONS if encodes else {".nac"}
    naming = Naming(".nac" if encodes else ".wav", decodes=not encodes)
    planned = plan(inputs, None, output_dir, True, extensions, naming, skip_existing=not force)
    check_report(report, planned, force)
    jobs = [
        job if job.fault else Job(abspath(job.source), abspath(job.target)) for job in planned.jobs
    ]
    options: Options = DecodeOptions()
    if encodes:
        options = EncodeOptions(settings=EncoderSettings(bitrate), verify=verify)
    model = model and abspath(model)
    options = replace(options, model=model, force=force, skip_existing=not force, make_folders=True)
    load_model(options.model)  # without a model there is one error, not one for each file
    unrecognised = planned.unrecognised if encodes else {}
    settings = BatchSettings(report=report, force=force, summary=True, unrecognised=unrecognised)
    collect_results(run_on_ray(jobs, options, cpus), options, settings, _say_failures)


def _say_failures(_: int, record: Record) -> None:
    for line in filter(None, [*record["gaps"], *record["warnings"], record["error"]]):
        complain(line)


@click.group(cls=Nacli)
def main() -> None:
    """This is nacli's batch on a Ray cluster, or on this machine where there is no cluster."""


main.add_command(batch, "encode")
main.add_command(batch, "decode")

if __name__ == "__main__":
    from nacli.cli import (
        ray_batch,  # workers import `convert` by this name, and with it nacli.cli's settings
    )

    ray_batch.main(prog_name="python -m nacli.cli.ray_batch")
