"""Recipes: the options of a run in a TOML file of `training/recipes`.

A recipe says what the run is for, which command it belongs to, and the options that differ from
the command's defaults:

    purpose = "Encoder, quantiser and Decoder learn together."
    command = "train"

    [options]
    run = "runs/joint"
    rate = 4e-4
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

RECIPES = Path(__file__).parent / "recipes"


class BadRecipe(click.ClickException):
    """A recipe that is not usable; the message names the file and the cause."""


@dataclass(frozen=True)
class Recipe:
    """What a run is for, the name of its script without `.py`, and its options."""

    purpose: str
    command: str
    options: dict[str, Any]


def read_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises `BadRecipe` for files that are no recipe, and for unknown names."""
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise BadRecipe(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise BadRecipe(f"{path}: not TOML: {error}") from error
    kinds: dict[str, type] = {"purpose": str, "command": str, "options": dict}
    if unknown := sorted(set(values) - set(kinds)):
        raise BadRecipe(f"{path}: unknown names: {', '.join(unknown)}")
    for name, kind in kinds.items():
        if not isinstance(values.get(name), kind):
            raise BadRecipe(f"{path}: {name} is missing or no {kind.__name__}")
    return Recipe(**values)


def command_options(path: Path, command: click.Command) -> dict[str, Any]:
    """Return the options of a recipe by the names of the command's parameters.

    Raises `BadRecipe` where the recipe is for another command or names unknown options.
    """
    recipe = read_recipe(path)
    if command.name != recipe.command:
        raise BadRecipe(f"{path}: this recipe is for scripts/{recipe.command}.py")
    names = {
        option.removeprefix("--"): str(parameter.name)
        for parameter in command.params
        for option in parameter.opts
        if parameter.name != "recipe"
    }
    if unknown := sorted(set(recipe.options) - set(names)):
        raise BadRecipe(f"{path}: scripts/{recipe.command}.py has no option {', '.join(unknown)}")
    return {names[option]: value for option, value in recipe.options.items()}


def _apply(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Make the options of a recipe the defaults of the command."""
    if path is not None:
        context.default_map = command_options(path, context.command)


recipe_option: Callable[[Command], Command] = click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_apply,
    help="TOML file of options (training/recipes); options of the command line override it.",
)
"""The option `--recipe` of a command."""
