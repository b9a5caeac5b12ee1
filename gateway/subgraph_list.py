"""The list of subgraphs that the command line takes: ``[{name, url, sdl_file | sdl}]``, as JSON or YAML."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from gateway.composition import SubgraphSource, compose
from gateway.errors import CompositionError, ConfigError

__all__ = ["SubgraphList", "read_subgraphs"]

_KEYS = {"name", "url", "sdl", "sdl_file"}


def read_subgraphs(path: Path) -> list[SubgraphSource]:
    """Return the subgraphs of a list; ``sdl_file`` is relative to the list's own folder.

    Raises:
        ConfigError: the list, or a file that it names, cannot be used.
    """
    entries = _decode(path, _read(path))
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "name" in entry for entry in entries):
        raise ConfigError(f"{path}: a list of {{name, url, sdl_file or sdl}} is expected")
    return [_source(path, entry) for entry in entries]


class SubgraphList:
    """The list as the source of the supergraph; see :class:`gateway.server.reload.SupergraphSource`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: list[SubgraphSource] | None = None

    async def changed(self) -> str | None:
        """Return the supergraph when the list or a schema of it is another one than at the last call, else None.

        Raises:
            CompositionError: the subgraphs do not compose; they are looked at again once they change.
            ConfigError: the list, or a file that it names, cannot be used.
        """
        return await asyncio.to_thread(self._read)

    def _read(self) -> str | None:
        found = read_subgraphs(self._path)
        if found == self._seen:
            return None
        self._seen = found
        composition = compose(found)
        if composition.supergraph is None:
            raise CompositionError(str(problem) for problem in composition.errors)
        return str(composition.supergraph)


def _source(path: Path, entry: dict[str, Any]) -> SubgraphSource:
    unknown = sorted(entry.keys() - _KEYS)
    if unknown:
        accepted = ", ".join(sorted(_KEYS))
        raise ConfigError(f"{path}: subgraph {entry['name']} has the unknown key {unknown[0]}; accepted: {accepted}")
    if "sdl" not in entry and "sdl_file" not in entry:
        raise ConfigError(
            f"{path}: subgraph {entry['name']} has neither sdl nor sdl_file; "
            "a federation subgraph tells its SDL itself: ask it for {_service{sdl}}"
        )
    sdl = entry["sdl"] if "sdl" in entry else _read(path.parent / str(entry["sdl_file"]))
    return SubgraphSource(name=str(entry["name"]), url=str(entry.get("url") or ""), sdl=str(sdl))


def _decode(path: Path, text: str) -> Any:
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{path}: the list of subgraphs is not valid: {error}") from error
    import yaml  # noqa: PLC0415 - lists in JSON never need it

    try:
        return yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: the list of subgraphs is not valid YAML: {error}") from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the file is not UTF-8") from error
