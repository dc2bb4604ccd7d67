"""Modules import lower layers alone, heavy libraries are imported in one part of the package each,
and light commands import none of them.

The rules are checked on syntax trees, the light commands in a process in which heavy libraries
cannot be imported.
"""

from __future__ import annotations

import ast
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nacli

PACKAGE = Path(nacli.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (
    {"blas", "errors", "config", "tensor_file", "types"},
    {"prefetch", "timing", "files"},
    {"dsp", "format", "quantizer", "entropy"},
    {"arguments", "networks", "envelope"},
    {"adaptive_filter"},
    {"audio", "checkpoint"},
    {"encoder", "decoder"},
    {"api", "inspection"},
    {"jobs"},
    {"bench"},
    {"cli"},
    {"__main__"},
)
"""From the bottom up; the parts of one layer do not import each other."""

RANKS = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

DOORS = {
    "torch": ("networks/torch_engine",),
    "constriction": ("entropy",),
    "safetensors": ("checkpoint",),
    "threadpoolctl": ("blas",),
    "soundfile": ("audio",),
    "soxr": ("audio",),
    "mutagen": ("audio",),
    "click": ("cli",),
    "tqdm": ("cli",),
    "ray": ("cli/ray_batch",),
}
"""The only parts of the package that may import each library."""
HEAVY = (*DOORS, "numpy", "scipy")
"""No third-party library but click is needed for help and info."""

LIGHT = (
    *("__init__", "__main__", "arguments", "errors", "config", "files", "format", "cli"),
    *("decoder/__init__", "decoder/position", "inspection/__init__", "inspection/info"),
    *("encoder/__init__", "encoder/settings", "inspection/info_json", "timing"),
    *("jobs/__init__", "jobs/options", "jobs/progress", "jobs/record", "jobs/resources"),
    *("jobs/source_file", "jobs/task", "jobs/worker_pool"),
)
"""Parts that import only the standard library, each other and click when they are imported."""


def location(path: Path) -> str:
    """`decoder/stream` for the file of `nacli.decoder.stream`."""
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def unit(path: Path) -> str:
    """The part of the package that a file belongs to: `format` for `format/wire.py`."""
    return location(path).split("/")[0]


def lies_in(place: str, parts: tuple[str, ...]) -> bool:
    """Whether a location is one of `parts`, or inside of one."""
    return any(place == part or place.startswith(f"{part}/") for part in parts)


def imports(tree: ast.AST, lazy: bool = True) -> Iterator[str]:
    """Full names of all modules that a syntax tree imports, except for type checkers; `lazy`
    includes what its functions import when they are called."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not lazy:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from _imports_from(node)
        yield from imports(node, lazy)


def _imports_from(node: ast.ImportFrom) -> Iterator[str]:
    """`from nacli import x` imports nacli.x, unless x is one of the package's own names."""
    assert node.module
    for alias in node.names:
        is_module = node.module == "nacli" and alias.name not in nacli.__all__
        yield f"{node.module}.{alias.name}" if is_module else node.module


def wrong_imports(place: str, tree: ast.AST) -> list[str]:
    """What the module at a location must not import: parts of the package that do not lie in a
    lower layer, and libraries that it has no door to."""
    mine, wrong = place.split("/")[0], []
    for name in imports(tree):
        top, _, rest = name.partition(".")
        if top == "nacli" and rest and mine not in ("__init__", rest.split(".")[0]):
            other = rest.split(".")[0]
            if RANKS[other] >= RANKS[mine]:
                wrong.append(f"{mine} imports {other}")
        if not lies_in(place, DOORS.get(top, (mine,))):
            wrong.append(f"{top} is imported outside its door")
    return wrong


@pytest.mark.parametrize("path", MODULES, ids=location)
def test_modules_import_lower_layers_alone(path: Path) -> None:
    assert not wrong_imports(location(path), ast.parse(path.read_text()))


@pytest.mark.parametrize(
    ("place", "code", "wrong"),
    [
        ("decoder/stream", "from nacli.encoder.stream import Encoder", "decoder imports encoder"),
        ("decoder/stream", "def f():\n    import nacli.encoder.stream", "decoder imports encoder"),
        ("decoder/stream", "from nacli import encoder", "decoder imports encoder"),
        ("encoder/stream", "from nacli.decoder import gaps", "encoder imports decoder"),
        ("dsp/filterbank", "from nacli.format import Header", "dsp imports format"),
        ("decoder/stream", "import torch", "torch is imported outside its door"),
    ],
)
def test_an_import_that_is_not_allowed_is_found(place: str, code: str, wrong: str) -> None:
    assert wrong_imports(place, ast.parse(code)) == [wrong]


LIGHT_MODULES = [
    path for path in MODULES if lies_in(location(path), LIGHT) and location(path) != "cli/ray_batch"
]


@pytest.mark.parametrize("path", LIGHT_MODULES, ids=location)
def test_light_modules_import_nothing_heavy(path: Path) -> None:
    allowed = sys.stdlib_module_names | ({"click"} if unit(path) == "cli" else set())
    for name in imports(ast.parse(path.read_text()), lazy=False):
        top, _, rest = name.partition(".")
        place = rest.replace(".", "/")
        light = not rest or lies_in(place, LIGHT) or lies_in(f"{place}/__init__", LIGHT)
        assert top in allowed or (top == "nacli" and light), name


BLOCKED = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {tuple(name for name in HEAVY if name != "click")}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocker())
"""


def run_blocked(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BLOCKED + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_package_imports_without_heavy_libraries() -> None:
    done = run_blocked(
        "import nacli, nacli.cli\n"
        "print(nacli.__version__, nacli.NacliError, nacli.read_info, dir(nacli))\n"
        "try: nacli.load_model\n"
        "except ImportError as error: print(error)"
    )
    assert done.returncode == 0, done.stderr
    assert "is blocked" in done.stdout


GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.nac"))[:1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["encode", "--help"],
        ["info", "--help"],
        *(["info", str(path)] for path in GOLDEN),
        *(["info", "--json", str(path)] for path in GOLDEN),
    ],
)
def test_light_commands_run_without_heavy_libraries(arguments: list[str]) -> None:
    done = run_blocked(f"from nacli.cli import main; main({arguments!r})")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("command", ["encode", "decode", "info"])
def test_a_command_is_imported_without_the_others(command: str) -> None:
    code = (
        "import sys; from nacli.cli import main\n"
        f"main([{command!r}, '--help'], standalone_mode=False)\n"
        "print('nacli.cli.bench' in sys.modules, 'nacli.jobs.worker_pool' in sys.modules)"
    )
    done = run_blocked(code)
    assert done.stdout.splitlines()[-1:] == ["False False"], done.stderr


def test_help_is_instant() -> None:
    """In CPU time, since other work may be on the machine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "nacli", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_the_public_names_are_there() -> None:
    assert {name: getattr(nacli, name) for name in nacli.__all__}.keys() == set(nacli.__all__)
    assert set(nacli.__all__) == {*nacli._MODULES, "__version__"}
    with pytest.raises(AttributeError):
        nacli.nothing  # noqa: B018
