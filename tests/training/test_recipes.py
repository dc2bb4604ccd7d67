"""Recipes: each fits its command, and files with unknown names are refused."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

from training.recipe import RECIPES, BadRecipe, command_options, read_recipe, recipe_option

FILES = sorted(RECIPES.glob("*.toml"))
GOOD = 'purpose = "A test."\ncommand = "echo"\n\n[options]\n'


@click.command("echo")
@recipe_option
@click.option("--rate", type=click.FloatRange(0, 1), default=0.5)
@click.option("--state", "states", type=click.Path(path_type=Path), multiple=True)
@click.option("--balance/--no-balance", default=True)
def echo(**options: Any) -> dict[str, Any]:
    """Return the options."""
    return options


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def run(*arguments: str) -> dict[str, Any]:
    result: dict[str, Any] = echo.main(list(arguments), standalone_mode=False)
    return result


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_recipe_fits_its_command(path: Path) -> None:
    recipe = read_recipe(path)
    command: click.Command = import_module(recipe.command).main
    assert recipe.purpose.endswith(".")
    # the command's own types and limits check the values
    values = command.make_context(recipe.command, ["--recipe", str(path)]).params
    for name, value in command_options(path, command).items():
        assert str(values[name]) == str(command_value(command, name, value))


def command_value(command: click.Command, name: str, value: Any) -> Any:
    """Return a value as a parameter of the command converts it."""
    parameter = next(p for p in command.params if p.name == name)
    return parameter.type_cast_value(click.Context(command), value)


def test_runs_start_from_states_of_other_runs() -> None:
    """A recipe that starts from a run names the folder of another recipe."""
    recipes = [read_recipe(path).options for path in FILES]
    folders = [options["run"] for options in recipes if "run" in options]
    outputs = {f"{run}/{name}.pt" for run in folders for name in ("state", "weights")}
    outputs |= {options["out"] for options in recipes if "out" in options}
    for options in recipes:
        inputs = [options.get("init"), options.get("weights"), *options.get("state", [])]
        assert {path for path in inputs if path and path.startswith("runs/")} <= outputs


def test_options_of_a_recipe_are_defaults_that_the_command_line_overrides(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + 'rate = 0.25\nstate = ["a", "b"]\nbalance = false\n')
    states = (Path("a"), Path("b"))
    expected = {"rate": 0.25, "states": states, "balance": False}
    assert run("--recipe", str(path)) == expected
    assert run("--rate", "0.75", "--recipe", str(path)) == expected | {"rate": 0.75}
    assert run() == {"rate": 0.5, "states": (), "balance": True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "ratte = 1", "scripts/echo.py has no option ratte"),
        (GOOD + "recipe = 1", "scripts/echo.py has no option recipe"),
        (GOOD.replace('"echo"', '"train"'), "this recipe is for scripts/train.py"),
        (GOOD.replace("purpose", "porpose"), "unknown names: porpose"),
        ('command = "echo"\n[options]', "purpose is missing or no str"),
        ('purpose = "A test."\ncommand = "echo"', "options is missing or no dict"),
        ("purpose", "not TOML"),
    ],
)
def test_a_bad_recipe_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BadRecipe) as error:
        run("--recipe", str(path))
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)


def test_a_missing_recipe_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "missing.toml"
    with pytest.raises(BadRecipe, match=r"missing\.toml: No such file"):
        run("--recipe", str(path))


def test_a_value_out_of_range_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "rate = 2")
    with pytest.raises(click.BadParameter, match="not in the range"):
        run("--recipe", str(path))
