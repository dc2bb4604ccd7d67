"""Files on many machines: `python -m nacli.cli.ray_batch encode FOLDER --output-dir FOLDER`.

Ray Data schedules, retries and shows how far it is; a row of its dataset is one call of `run_task`.
Ray begins a row again when its process or machine is lost, perhaps after the output was made. So an
output that exists is no error here, and inputs are never deleted.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Generator, Sequence
from dataclasses import replace
from os.path import abspath
from typing import Any

import click

from nacli.cli.group import Nacli, complain
from nacli.cli.jobs import Job, Naming, plan, refuse_report
from nacli.cli.kinds import take_bitrate
from nacli.cli.running import Manner, collect
from nacli.errors import NacliError
from nacli.files.names import AUDIO_EXTENSIONS
from nacli.files.outputs import check_output
from nacli.files.signals import exit_on_signals
from nacli.jobs.task import (
    DecodeOptions,
    EncodeOptions,
    Options,
    Record,
    failed,
    load_model,
    run_task,
)

MAX_BLOCKS = 10_000  # what Ray schedules and retries: a file each, unless there are more files
RETRIES = 5  # of a block whose process has died; Ray itself would never give up


def convert(row: dict[str, Any], options: Options) -> dict[str, Any]:
    """One job's record. In JSON, since file names may be bytes that Arrow takes for no text."""
    record = run_task(options, *json.loads(row["job"]))
    return {"number": row["number"], "record": json.dumps(record)}


def run_on_ray(
    jobs: Sequence[Job], options: Options, cpus: int
) -> Generator[tuple[int, Record], None, None]:
    """The number and record of every job, as they get done or are given up."""
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
        exit_on_signals()  # Ray has put its own handler, with other exit codes, in their place
        for row in made.iter_rows():
            del able[row["number"]]
            yield row["number"], json.loads(row["record"])
    for number, job in enumerate(jobs):
        if job.fault or number in able:
            lost = NacliError(f"{job.source}: Ray has given up: the processes at its block died")
            yield number, failed(job.source, job.target, job.fault or lost)


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--output-dir", required=True, metavar="DIR", help="For outputs, made if need be.")
@click.option("-f", "--force", is_flag=True, help="Replace outputs that exist: not skip them.")
@click.option("--report", metavar="FILE", help="Write what became of every file, as JSON.")
@click.option("--cpus", type=click.IntRange(1), default=1, help="For each file.  [default: 1]")
@click.option("--model", metavar="PATH", help="Another checkpoint (.safetensors).")
@click.option("--bitrate", callback=take_bitrate, metavar="KBPS", help="To encode with.")
@click.option("-V", "--verify", is_flag=True, help="Read packets back as they are encoded.")
def batch(
    inputs: tuple[str, ...],
    output_dir: str,
    force: bool,
    report: str | None,
    cpus: int,
    model: str | None,
    **encoding: Any,
) -> None:
    """Convert files, and those in folders, on all machines of the cluster (see docs/ray.md)."""
    encodes = click.get_current_context().info_name == "encode"
    if not encodes and any(encoding.values()):
        raise click.UsageError("--bitrate and --verify are for encode")
    wanted = AUDIO_EXTENSIONS if encodes else {".nac"}
    naming = Naming(".nac" if encodes else ".wav", decodes=not encodes)
    planned = plan(inputs, None, output_dir, True, wanted, naming, skip_existing=not force)
    jobs = [
        job if job.fault else Job(abspath(job.source), abspath(job.target)) for job in planned.jobs
    ]
    refuse_report(report, jobs)
    if report is not None:
        check_output(report, force)
    options: Options = EncodeOptions(**encoding) if encodes else DecodeOptions()
    model = model and abspath(model)
    options = replace(options, model=model, force=force, skip_existing=not force, make_folders=True)
    load_model(options.model)  # without one, nothing can be done
    unrecognised = planned.unrecognised if encodes else {}
    manner = Manner(report=report, force=force, summary=True, unrecognised=unrecognised)
    collect(run_on_ray(jobs, options, cpus), options, manner, _say)


def _say(_: int, record: Record) -> None:
    for line in filter(None, [*record["gaps"], *record["warnings"], record["error"]]):
        complain(line)


@click.group(cls=Nacli)
def main() -> None:
    """nacli's batches on a Ray cluster, or on this machine alone where there is none."""


main.add_command(batch, "encode")
main.add_command(batch, "decode")

if __name__ == "__main__":
    from nacli.cli import ray_batch  # by this name workers import `convert`, with the settings

    ray_batch.main(prog_name="python -m nacli.cli.ray_batch")
