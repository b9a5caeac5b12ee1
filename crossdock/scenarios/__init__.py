"""Operations to try the graph with: the tabs of GraphiQL, the examples of the README, the subjects of end-to-end tests.

Each is a ``.graphql`` file whose first comment line is its title, beside a ``.json`` file with its variables.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["Scenario", "scenario", "scenarios"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """An operation with variables that fit the demo's data; ``name`` is its file's."""

    name: str
    title: str
    query: str
    variables: dict[str, Any]


@cache
def scenarios() -> tuple[Scenario, ...]:
    """Return all scenarios in the order of their file names."""
    folder = files(__package__)
    names = sorted(entry.name.removesuffix(".graphql") for entry in folder.iterdir() if entry.name.endswith(".graphql"))
    return tuple(_read(name) for name in names)


def scenario(name: str) -> Scenario:
    """Return one scenario.

    Raises:
        KeyError: there is none of this name.
    """
    found = {entry.name.partition("-")[2]: entry for entry in scenarios()}
    return found[name]


def _read(name: str) -> Scenario:
    folder = files(__package__)
    first, _, query = folder.joinpath(f"{name}.graphql").read_text(encoding="utf-8").partition("\n")
    variables: dict[str, Any] = json.loads(folder.joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return Scenario(name, first.removeprefix("#").strip(), query.strip() + "\n", variables)
