"""Read manifests of trusted documents.

Apollo: ``{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id", "body", "clientName"?}]}``.
Relay: ``{"<id>": "<text>"}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from gateway.errors import ConfigError

__all__ = ["Manifest", "read_documents", "read_manifests"]

_APOLLO = "apollo-persisted-query-manifest"


class Manifest:
    """Trusted documents by id; some are for one client only."""

    def __init__(self, documents: Iterable[tuple[str, str | None, str]]) -> None:
        self._texts: dict[tuple[str, str | None], str] = {}
        self._clients: dict[str, set[str | None]] = {}
        for identifier, client, text in documents:
            self._texts[identifier, client] = text
            self._clients.setdefault(text, set()).add(client)

    def __len__(self) -> int:
        return len(self._texts)

    def find(self, identifier: str, client: str | None) -> str | None:
        """Return the text of a document that ``client`` may use, None when there is none."""
        found = self._texts.get((identifier, client))
        return found if found is not None else self._texts.get((identifier, None))

    def has_text(self, text: str, client: str | None) -> bool:
        """Tell whether a text is registered for ``client``."""
        clients = self._clients.get(text)
        return clients is not None and (client in clients or None in clients)


def read_manifests(paths: Iterable[Path]) -> Manifest:
    """Return the documents of all files together.

    Raises:
        ConfigError: a file cannot be read or is no manifest.
    """
    return Manifest(document for path in paths for document in read_documents(path))


def read_documents(path: Path) -> Iterator[tuple[str, str | None, str]]:
    """Yield id, client (None for all) and text of each document of a file.

    Raises:
        ConfigError: the file cannot be read or is no manifest.
    """
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: the manifest of documents cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path}: the manifest of documents is not valid JSON: {error}") from error
    if not isinstance(content, Mapping):
        raise _wrong(path, "an object is expected")
    if content.get("format") == _APOLLO:
        if content.get("version") != 1 or not isinstance(content.get("operations"), list):
            raise _wrong(path, "version 1 with a list of operations is expected")
        for number, operation in enumerate(content["operations"]):
            yield _apollo(path, number, operation)
        return
    for identifier, text in content.items():
        if not isinstance(text, str):
            raise _wrong(path, f"the entry {identifier!r} must be the text of a document")
        yield identifier, None, text


def _apollo(path: Path, number: int, operation: Any) -> tuple[str, str | None, str]:
    if isinstance(operation, Mapping):
        found = operation.get("id"), operation.get("clientName"), operation.get("body")
        if isinstance(found[0], str) and isinstance(found[2], str) and isinstance(found[1], str | None):
            return found[0], found[1], found[2]
    raise _wrong(path, f"operations[{number}] needs the strings id and body, and may have clientName")


def _wrong(path: Path, what: str) -> ConfigError:
    return ConfigError(f"{path}: not a manifest of documents by Apollo or Relay: {what}")
