"""Turn what a subgraph reported, or failed to answer, into errors of the client's answer.

- An error below ``_entities`` belongs to every place whose object the representation stands for.
- An error without a usable path, and the failure of a whole fetch, is reported once for each part of the client's
  answer that the fetch feeds, not once for each object in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from graphql import parse
from graphql.language import FieldNode, OperationDefinitionNode

from gateway.errors import ErrorCode, SubgraphError
from gateway.executor.paths import ResponsePath, to_client_path, trace
from gateway.executor.representations import CompiledTarget, EntityBatch
from gateway.plan.nodes import Fetch, FieldStep, OutputField

__all__ = ["Blame", "stream_error", "stream_failure"]

MAX_PLACES = 20
"""Places at which one subgraph error is reported when equal objects stand at many of them."""

MAX_MESSAGE_CHARACTERS = 2_000
"""A longer message of a subgraph is cut; it would only fill logs and answers."""


class Blame:
    """Writes the errors of one fetch for one execution."""

    def __init__(self, fetch: Fetch, output: tuple[OutputField, ...]) -> None:
        self._fetch = fetch
        self._output = output

    def failure(self, error: SubgraphError, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the errors for a fetch that brought nothing."""
        return [_at(path, stream_failure(error)) for path in self._roots(data)]

    def root_errors(self, errors: Iterable[Mapping[str, Any]], data: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the errors of a fetch of root fields."""
        found: list[dict[str, Any]] = []
        for error in errors:
            path = _path_of(error)
            places = self._positions_at(data) if path else []
            paths = [where for place in places if (where := to_client_path((*place, *path), self._output))]
            paths = paths or self._roots(data)
            found += [_at(place, self._render(error)) for place in paths]
        return found

    def entity_errors(
        self,
        errors: Iterable[Mapping[str, Any]],
        calls: Mapping[str, tuple[Sequence[CompiledTarget], EntityBatch]],
        data: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Return the errors of a fetch of entities; ``calls`` has the targets and the batch of each response key."""
        found: list[dict[str, Any]] = []
        for error in errors:
            path = _path_of(error)
            places: list[ResponsePath] = []
            if len(path) > 1 and path[0] in calls and isinstance(path[1], int):
                targets, batch = calls[str(path[0])]
                for position in _positions(targets, batch, path[1], data):
                    places.append(to_client_path((*position, *path[2:]), self._output))
                    if len(places) == MAX_PLACES:
                        break
            found += [_at(place, self._render(error)) for place in dict.fromkeys(places) or self._roots(data)]
        return found

    def _positions_at(self, data: Mapping[str, Any]) -> list[ResponsePath]:
        if not self._fetch.at:
            return [()]
        return [position for _, position in islice(trace(dict(data), self._fetch.at), MAX_PLACES)]

    def _roots(self, data: Mapping[str, Any]) -> list[ResponsePath]:
        if self._fetch.at:
            paths = [to_client_path(_existing_prefix(self._fetch.at, data), self._output)]
        elif not self._fetch.calls:
            keys = [(key,) for key in _root_keys(self._fetch.document)]
            paths = [to_client_path(key, self._output) for key in keys]
        else:
            paths = [
                to_client_path(_existing_prefix(target.path, data), self._output)
                for call in self._fetch.calls
                for target in call.targets
            ]
        return list(dict.fromkeys(path for path in paths if path)) or [()]

    def _render(self, error: Mapping[str, Any]) -> dict[str, Any]:
        return stream_error(error, self._fetch.subgraph)


def stream_failure(error: SubgraphError) -> dict[str, Any]:
    """Return the error for a stream that did not start or broke off: it has no path, since nothing was executed."""
    extensions: dict[str, Any] = {
        "code": str(error.code),
        "subgraph": error.subgraph,
        "retryable": error.retryable,
        **error.extensions,
    }
    if error.http_status_seen is not None and error.http_status_seen != 200:
        extensions["status"] = error.http_status_seen
    return {"message": error.message, "extensions": extensions}


def stream_error(error: Mapping[str, Any], subgraph: str) -> dict[str, Any]:
    """Return an error with which a subgraph refused or ended a stream."""
    given = error.get("extensions")
    extensions = dict(given) if isinstance(given, dict) else {}
    extensions.setdefault("code", str(ErrorCode.SUBGRAPH_ERROR))
    extensions["subgraph"] = subgraph
    if extensions["code"] == ErrorCode.GAP:
        extensions["retryable"] = False  # the same request again meets the gap again
    message = str(error.get("message") or "the subgraph reported an error without a message")
    return {"message": message[:MAX_MESSAGE_CHARACTERS], "extensions": extensions}


def _at(path: ResponsePath, error: dict[str, Any]) -> dict[str, Any]:
    return {"message": error["message"], "path": list(path), "extensions": error["extensions"]}


def _path_of(error: Mapping[str, Any]) -> ResponsePath:
    path = error.get("path")
    if not isinstance(path, list):
        return ()
    return tuple(part for part in path if isinstance(part, str | int))


def _positions(
    targets: Sequence[CompiledTarget], batch: EntityBatch, slot: int, data: dict[str, Any]
) -> Iterator[ResponsePath]:
    for target, objects, slots in zip(targets, batch.objects, batch.slots, strict=True):
        wanted = {id(item) for item, own in zip(objects, slots, strict=True) if own == slot}
        if wanted:
            yield from (position for item, position in trace(data, target.path) if id(item) in wanted)


def _existing_prefix(path: Sequence[Any], data: Mapping[str, Any]) -> ResponsePath:
    """Return the keys of a plan path up to its first list: the part of the answer that holds all objects at it."""
    found: list[str] = []
    value: Any = data
    for step in path:
        if not isinstance(step, FieldStep):
            if isinstance(value, list):
                break
            continue
        found.append(step.key)
        value = value.get(step.key) if isinstance(value, Mapping) else None
        if value is None:
            break
    return tuple(found)


def _root_keys(document: str) -> list[str]:
    """Return the response keys of a fetch's root fields; read from its text, since this only happens on failure."""
    for definition in parse(document, no_location=True).definitions:
        if isinstance(definition, OperationDefinitionNode):
            return [
                node.alias.value if node.alias else node.name.value
                for node in definition.selection_set.selections
                if isinstance(node, FieldNode)
            ]
    return []
