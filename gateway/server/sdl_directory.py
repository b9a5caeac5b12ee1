"""A directory of subgraph schemas as the source of the supergraph: ``<name>.graphql``, composed when one changes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from gateway.composition import SubgraphSource, compose_or_raise
from gateway.errors import ConfigError
from gateway.server.reload import MAX_SUPERGRAPH_BYTES

__all__ = ["SdlDirectory"]

MAX_SUBGRAPHS = 1000
"""Files that are read; a directory with more is most likely another one."""

_PATTERN = "*.graphql"


class SdlDirectory:
    """See :class:`gateway.server.reload.SupergraphSource`.

    Args:
        path: the directory.
        addresses: url by subgraph name.
    """

    def __init__(self, path: Path, addresses: Mapping[str, str]) -> None:
        self._path = path
        self._addresses = addresses
        self._seen: tuple[tuple[str, int, int], ...] | None = None

    async def changed(self) -> str | None:
        """Return the supergraph when a schema came, went or changed since the last call, else None.

        Raises:
            CompositionError: the schemas do not compose; they are looked at again once they change.
            ConfigError: a schema has no address, or there is none at all.
            OSError, ValueError: one cannot be read, or is no text.
        """
        return await asyncio.to_thread(self._read)

    def _read(self) -> str | None:
        files = sorted(self._path.glob(_PATTERN))
        if not files:
            raise ConfigError(f"{self._path}: there are no files {_PATTERN}; put one for each subgraph there")
        if len(files) > MAX_SUBGRAPHS:
            raise ConfigError(f"{self._path}: there are more than {MAX_SUBGRAPHS} files {_PATTERN}")
        found = [(path.name, path.stat()) for path in files]
        marks = tuple((name, state.st_mtime_ns, state.st_size) for name, state in found)
        if marks == self._seen:
            return None
        if sum(size for _, _, size in marks) > MAX_SUPERGRAPH_BYTES:
            raise ConfigError(f"{self._path}: the schemas have more than {MAX_SUPERGRAPH_BYTES} bytes together")
        sources = [
            SubgraphSource(name=path.stem, url=self._address(path), sdl=path.read_text(encoding="utf-8"))
            for path in files
        ]
        self._seen = marks
        return str(compose_or_raise(sources).supergraph)

    def _address(self, path: Path) -> str:
        address = self._addresses.get(path.stem)
        if not address:
            raise ConfigError(f"{path}: the settings have no address for it; set subgraphs.{path.stem}.url")
        return address
