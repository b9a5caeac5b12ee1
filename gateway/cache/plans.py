"""What caching needs to know of each fetch of a plan, worked out once per plan.

A fetch is left out that no answer may be kept of: of a subgraph that the settings leave out, that says by
``@cacheControl`` that its answer must not be kept, or that reads contexts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson
from graphql import parse, print_ast, value_from_ast_untyped
from graphql.language import ArgumentNode, FieldNode, OperationDefinitionNode

from gateway.cache.directives import CacheDirectives
from gateway.cache.hints import read_hints
from gateway.cache.lifetime import Lifetime, Scope
from gateway.cache.selections import ENTITIES, Selected, SelectionReader, variables_in
from gateway.cache.subjects import Subject, TagFormat, compile_subject
from gateway.cache.tags import About, subgraph_word, type_word
from gateway.config import CacheSettings, SubgraphCacheSettings
from gateway.plan.nodes import Fetch, QueryPlan
from gateway.supergraph import Supergraph

__all__ = ["CachedCall", "CachedFetch", "PlanReader", "RootTags"]


@dataclass(frozen=True, slots=True)
class RootTags:
    """The tags of a root field, filled in from its arguments."""

    formats: tuple[TagFormat, ...]
    arguments: tuple[ArgumentNode, ...]

    def note(self, variables: Mapping[str, Any], about: About) -> None:
        """Add the tags to what an answer is about."""
        values = {one.name.value: value_from_ast_untyped(one.value, dict(variables)) for one in self.arguments}
        for tag in self.formats:
            text = tag.fill("args", values)
            if text is None:
                about.has_any_tag = True
            else:
                about.tags.add(text)


@dataclass(frozen=True, slots=True)
class CachedCall:
    """An entity call.

    Attributes:
        key: its response key.
        variable: name of the variable with its representations.
        name: names what is asked of each entity: subgraph and selection.
        variables: the client's variables that this depends on.
        subject: where entities are in one that has come; None when none is.
    """

    key: str
    variable: str
    name: bytes
    variables: tuple[str, ...]
    subject: Subject | None


@dataclass(frozen=True, slots=True)
class CachedFetch:
    """A fetch whose answer may be kept, or that changes what is kept.

    Attributes:
        name: names what is asked, variables left out.
        says: what directives say of its answer.
        otherwise: what the settings say where nothing else does.
        is_for_one: every answer is private, whatever else is said.
        is_protected: something in it is not for everybody.
        about: what every answer is about, as tags.
        root_tags: tags of its root fields.
        subject: where entities are in its answer; None when none is.
    """

    subgraph: str
    name: bytes
    variables: tuple[str, ...]
    says: Lifetime
    otherwise: Lifetime
    is_for_one: bool
    is_protected: bool
    about: tuple[str, ...]
    root_tags: tuple[RootTags, ...]
    subject: Subject | None
    calls: tuple[CachedCall, ...]


class PlanReader:
    """Reads the plans of one supergraph."""

    def __init__(self, supergraph: Supergraph, settings: CacheSettings, selections: SelectionReader) -> None:
        self._supergraph = supergraph
        self._settings = settings
        self._reader = selections
        self._directives = CacheDirectives(supergraph)

    def read(self, plan: QueryPlan) -> tuple[CachedFetch | None, ...]:
        """Return what is known of each fetch, None for those of which nothing may be kept."""
        found = [self._fetch(fetch) for fetch in plan.fetches]
        if plan.kind != "query":
            return tuple(found)
        return tuple(
            one if one is not None and self._may_be_kept(fetch, one) else None
            for fetch, one in zip(plan.fetches, found, strict=True)
        )

    def _may_be_kept(self, fetch: Fetch, one: CachedFetch) -> bool:
        settings = self._of(fetch.subgraph)
        reads_contexts = any(call.contexts for call in fetch.calls)
        return settings.enabled and one.says.max_age_s != 0 and not reads_contexts

    def _of(self, subgraph: str) -> SubgraphCacheSettings:
        return self._settings.subgraphs.get(subgraph, SubgraphCacheSettings())

    def _fetch(self, fetch: Fetch) -> CachedFetch | None:
        document = parse(fetch.document, no_location=True)
        operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
        root_type = self._supergraph.root_types.get(operation.operation.value, "Query")
        selected = self._reader.read(document, root_type)
        leaves = selected.by_type.get(root_type, {})
        settings, subgraph = self._of(fetch.subgraph), fetch.subgraph
        calls = tuple(
            self._call(subgraph, call.key, call.variable, leaves[call.key].node, leaves[call.key].below)
            for call in fetch.calls
            if call.key in leaves
        )
        ttl = settings.ttl
        says = read_hints(selected, root_type, subgraph, self._directives, self._supergraph, ttl)
        return CachedFetch(
            subgraph=subgraph,
            name=_name(subgraph, root_type, print_ast(operation.selection_set)),
            variables=fetch.variables,
            says=says,
            otherwise=Lifetime(ttl, Scope.PUBLIC if settings.scope == "public" else None),
            is_for_one=settings.scope == "private",
            is_protected=self._is_protected(selected),
            about=(subgraph_word(subgraph), *map(type_word, self._types(selected))),
            root_tags=tuple(self._root_tags(subgraph, root_type, leaf.node) for leaf in leaves.values()),
            subject=None if fetch.calls else compile_subject(selected, self._reader, self._directives, subgraph),
            calls=calls,
        )

    def _call(self, subgraph: str, key: str, variable: str, node: FieldNode, below: Selected | None) -> CachedCall:
        selection = below or Selected("")
        text = "" if node.selection_set is None else print_ast(node.selection_set)
        used = () if node.selection_set is None else variables_in(node.selection_set)
        subject = compile_subject(selection, self._reader, self._directives, subgraph)
        return CachedCall(key, variable, _name(subgraph, ENTITIES, text), used, subject)

    def _root_tags(self, subgraph: str, root_type: str, node: FieldNode) -> RootTags:
        formats = self._directives.tags.get((subgraph, f"{root_type}.{node.name.value}"), ())
        return RootTags(tuple(TagFormat(text) for text in formats), tuple(node.arguments or ()))

    def _types(self, selected: Selected) -> list[str]:
        """Return the types of which objects may be in an answer."""
        roots = set(self._supergraph.root_types.values())
        found = {name for part in selected.walk() for name in (part.type_name, *part.by_type)}
        return sorted(name for name in found - roots if name in self._supergraph.types)

    def _is_protected(self, selected: Selected) -> bool:
        rules = self._supergraph.authorization
        return bool(rules) and any(name in rules for part in selected.walk() for name in _coordinates(part))


def _coordinates(selected: Selected) -> Iterable[str]:
    yield selected.type_name
    for type_name, leaves in selected.by_type.items():
        yield type_name
        for leaf in leaves.values():
            yield leaf.coordinate
            yield f"{type_name}.{leaf.node.name.value}"


def _name(*parts: str) -> bytes:
    return blake2b(orjson.dumps(parts), digest_size=16).digest()
