"""The arguments that `nacli encode` and `nacli decode` share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from nacli.cli.batch_report import check_report
from nacli.cli.paths import PATH, complete_folders
from nacli.cli.planning import Naming, names_folder, plan
from nacli.cli.run_batch import BatchSettings, run_jobs

if TYPE_CHECKING:
    from nacli.jobs.options import Options

INPUTS = click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="INPUT...")
CONVERSION = (
    click.option(
        "-o",
        "--output",
        type=PATH,
        metavar="OUT",
        help="The output goes to this file or folder; - is stdout.",
    ),
    click.option(
        "-c", "--stdout", "to_stdout", is_flag=True, help="The output goes to stdout, as with -o -."
    ),
    click.option(
        "--output-dir",
        metavar="DIR",
        shell_complete=complete_folders,
        help="Outputs go to this folder, which is made if it is missing.",
    ),
    click.option(
        "-r",
        "--recursive",
        is_flag=True,
        help="Inputs may be folders, which are searched at any depth.",
    ),
    click.option(
        "-j",
        "--jobs",
        "workers",
        type=click.IntRange(0),
        default=1,
        show_default=True,
        metavar="N",
        help="N files are converted at a time and share the cores; 0 means one file per core.",
    ),
    click.option(
        "--skip-existing", is_flag=True, help="Outputs that exist are left, without an error."
    ),
    click.option(
        "--delete-input/--keep",
        "--rm/-k",
        "delete_input",
        help="An input is deleted after its whole output was read back from the disk; by default "
        "it is kept.",
    ),
    click.option(
        "--report",
        type=PATH,
        metavar="FILE",
        help="The result of every file is written to this file as JSON.",
    ),
    click.option("-f", "--force", is_flag=True, help="Existing outputs are replaced."),
    click.option(
        "-q", "--quiet", "--silent", "silent", is_flag=True, help="Only errors are shown."
    ),
    click.option(
        "--model",
        type=PATH,
        metavar="PATH",
        help="This checkpoint (.safetensors) replaces the built-in one.",
    ),
    click.option(
        "--device",
        type=click.Choice(["cpu", "cuda", "auto"]),
        default="cpu",
        show_default=True,
        help="The networks run on the CPU, on a GPU (cuda, through PyTorch), or on a GPU where "
        "PyTorch finds one (auto).",
    ),
)

RAW_FORMAT = click.Choice(["s8", "u8", "s16", "s24", "s32", "f32", "f64"])  # little-endian


@dataclass(frozen=True)
class Conversion:
    """The values of the shared arguments."""

    inputs: tuple[str, ...]
    output: str | None
    output_dir: str | None
    recursive: bool
    workers: int
    skip_existing: bool
    delete_input: bool
    report: str | None
    force: bool
    silent: bool
    model: str | None
    device: str

    def options(self) -> dict[str, Any]:
        """Return the arguments of `nacli.jobs.options.Options`."""
        return {
            "model": self.model,
            "device": self.device,
            "force": self.force,
            "skip_existing": self.skip_existing,
            "delete_input": self.delete_input,
            "make_folders": self.output_dir is not None
            or self.recursive
            or names_folder(self.output),
        }

    def run(self, options: Options, extensions: Collection[str], naming: Naming) -> None:
        """Plan and run the batch; in folders, files with one of `extensions` are converted."""
        planned = plan(
            self.inputs,
            self.output,
            self.output_dir,
            self.recursive,
            extensions,
            naming,
            self.skip_existing,
        )
        check_report(self.report, planned, self.force)
        settings = BatchSettings(
            workers=self.workers,
            silent=self.silent,
            summary=self.recursive or len(self.inputs) > 1,
            report=self.report,
            force=self.force,
            unrecognised={} if naming.decodes else planned.unrecognised,
        )
        run_jobs(planned.jobs, options, settings)


def conversion(function: Callable[..., None]) -> Callable[..., None]:
    """Add the shared arguments to a command, which gets them as one `Conversion`."""

    @wraps(function)
    def command(**values: Any) -> None:
        if values.pop("to_stdout"):
            if values["output"] not in (None, "-"):
                raise click.UsageError("-o and -c exclude each other")
            values["output"] = "-"
        shared = {field.name: values.pop(field.name) for field in fields(Conversion)}
        function(Conversion(**shared), **values)

    for decorate in (*reversed(CONVERSION), INPUTS):
        command = decorate(command)
    return command
