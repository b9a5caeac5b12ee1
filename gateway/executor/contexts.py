"""Entity calls whose arguments come from objects around each entity.

1. Walk to the entities and remember the objects passed on the way.
2. Read the values for each entity; entities with equal values form one group.
3. One request asks for all groups: the call is repeated under an alias for each, with variables of its own.

An entity of which a value is missing, because the fetch that brings it failed, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.executor.representations import CompiledCall, EntityBatch
from gateway.plan.nodes import ContextRead, ContextVariable, Fetch, FieldStep, ListStep, Path, SliceStep, TypeStep

__all__ = ["MAX_GROUPS", "CompiledContexts", "ContextGroup", "compile_contexts"]

MAX_GROUPS = 100
"""Most groups in one request; more are asked for in further requests, so that documents stay readable for servers."""

_Around = Mapping[int, dict[str, Any]]


@dataclass(slots=True)
class ContextGroup:
    """Entities that share the values of all variables."""

    values: dict[str, Any]
    batch: EntityBatch


@dataclass(frozen=True, slots=True)
class CompiledContexts:
    """A call with context variables, ready to run.

    Attributes:
        document: the text for one group.
        definitions: definitions of the client's variables, as they stand in the document.
        call: the text of the call, repeated for each group.
        names: finds the variables in it that differ between groups.
    """

    compiled: CompiledCall
    variables: tuple[ContextVariable, ...]
    document: str
    definitions: str
    call: str
    names: re.Pattern[str]

    def groups(self, root: dict[str, Any]) -> list[ContextGroup]:
        """Return the groups for the data merged so far, without those that have nothing to ask for."""
        found: dict[bytes, tuple[dict[str, Any], dict[int, dict[str, Any]]]] = {}
        target = self.compiled.targets[0]
        marks = frozenset(len(read.path) for one in self.variables for read in one.reads)
        for entity, around in _walk(root, target.path, 0, {}, marks):
            try:
                values = {one.name: _read(one.reads, around) for one in self.variables}
            except (KeyError, TypeError):
                continue
            _, members = found.setdefault(orjson.dumps(values), (values, {}))
            members[id(entity)] = entity
        groups = []
        for values, members in found.values():
            objects = list(members.values())
            representations: list[dict[str, Any]] = []
            slots = target.slots(objects, {}, representations)
            if representations:
                groups.append(ContextGroup(values, EntityBatch(representations, [objects], [slots])))
        return groups

    def body(self, groups: Sequence[ContextGroup], variables: Mapping[str, Any]) -> tuple[bytes, list[str]]:
        """Return the request body for some groups, and the response key of each."""
        merged = dict(variables)
        if len(groups) == 1:
            merged |= {self.compiled.variable: groups[0].batch.representations, **groups[0].values}
            return orjson.dumps({"query": self.document, "variables": merged}), [self.compiled.key]
        definitions = [self.definitions] if self.definitions else []
        calls: list[str] = []
        keys: list[str] = []
        for number, group in enumerate(groups):
            renamed = {name: f"{name}_{number}" for name in (self.compiled.variable, *group.values)}
            merged[renamed[self.compiled.variable]] = group.batch.representations
            definitions.append(f"${renamed[self.compiled.variable]}:[_Any!]!")
            for one in self.variables:
                merged[renamed[one.name]] = group.values[one.name]
                definitions.append(f"${renamed[one.name]}:{one.type}")
            keys.append(f"_e{number}")
            calls.append(f"_e{number}:{self._rename(renamed)}")
        document = f"query({','.join(definitions)}){{{''.join(calls)}}}"
        return orjson.dumps({"query": document, "variables": merged}), keys

    def _rename(self, names: Mapping[str, str]) -> str:
        return self.names.sub(lambda match: f"${names[match[1]]}", self.call)


def compile_contexts(fetch: Fetch, calls: Sequence[CompiledCall]) -> CompiledContexts | None:
    """Return the compiled contexts of a fetch, None when it has none."""
    if not fetch.calls or not fetch.calls[0].contexts:
        return None
    call = fetch.calls[0]
    own = (call.variable, *(one.name for one in call.contexts))
    head, _, body = fetch.document.partition("){_entities")
    given = [f"${call.variable}:[_Any!]!", *(f"${one.name}:{one.type}" for one in call.contexts)]
    definitions = head.removeprefix(f"query({','.join(given)}").removeprefix(",")
    names = re.compile(r"\$(" + "|".join(map(re.escape, own)) + r")\b")
    return CompiledContexts(calls[0], call.contexts, fetch.document, definitions, f"_entities{body[:-1]}", names)


def _read(reads: Sequence[ContextRead], around: _Around) -> Any:
    for read in reads:
        item = around[len(read.path)]
        if read.types and item["__typename"] not in read.types:
            continue
        value: Any = item
        for key in read.keys:
            if value is None:
                break
            value = value[key]
        return value
    return None


def _walk(
    value: Any, path: Path, at: int, around: _Around, marks: frozenset[int]
) -> Iterator[tuple[dict[str, Any], _Around]]:
    """Yield the objects at a path with the objects passed at the marked lengths of it."""
    if at in marks and value.__class__ is dict:
        around = {**around, at: value}
    if at == len(path):
        if value.__class__ is dict:
            yield value, around
        return
    match path[at]:
        case FieldStep(key) if value.__class__ is dict:
            yield from _walk(value.get(key), path, at + 1, around, marks)
        case ListStep() if value.__class__ is list:
            for item in value:
                yield from _walk(item, path, at + 1, around, marks)
        case SliceStep(start, stop) if value.__class__ is list:
            for item in value[start:stop]:
                yield from _walk(item, path, at + 1, around, marks)
        case TypeStep(types) if value.__class__ is dict and value.get("__typename") in types:
            yield from _walk(value, path, at + 1, around, marks)
