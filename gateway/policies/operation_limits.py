"""Refuse documents that would cost more than an honest client needs, before they are validated.

Validation compares selections pair by pair and fragments unfold exponentially, so a short document can cost minutes.
Each definition is measured with its fragments unfolded; a fragment is measured once, so the cost is linear in the
document. Only then are pairs counted, over at most as many fields as the limits allow.

What passed is prepared and kept by its text; nothing here runs again for the same text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from graphql import DocumentNode, GraphQLError
from graphql.language import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from gateway.errors import ErrorCode, RequestError

__all__ = ["OperationLimits", "exceeded"]

MAX_LEVELS = 120
"""Deepest nesting of fields and fragments together. Validating and planning recurse over it, some frames a level, and
Python's stack has a thousand."""

MAX_COMPARISONS = 200_000
"""Most pairs of selections with one response name that validation may have to compare; below a second of work, and
below the 250,000 at which graphql-core gives up without saying why."""

MAX_INTROSPECTION_FIELDS = 1_000
"""Most fields that introspection may select; each is answered for every type. What tools ask for has below 300."""

_INTROSPECTION = frozenset({"__schema", "__type"})
_INTROSPECTION_LISTS = frozenset({"fields", "interfaces", "possibleTypes", "inputFields"})


@dataclass(frozen=True, slots=True)
class OperationLimits:
    """The most that one operation may have, fragments unfolded.

    Attributes:
        depth: fields below one another.
        height: selected fields in all.
        aliases, directives: how many of them.
        root_fields: fields of the root type.
        introspection_depth: lists of fields, interfaces, possible types or input fields below one another.
    """

    depth: int
    height: int
    aliases: int
    root_fields: int
    directives: int
    introspection_depth: int

    def check(self, document: DocumentNode) -> None:
        """Accept a document.

        Raises:
            RequestError: LIMIT_EXCEEDED naming the limit; GRAPHQL_VALIDATION_FAILED, a fragment contains itself.
        """
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        measure = _Measure(fragments)
        comparisons = 0
        for node in document.definitions:
            if isinstance(node, FragmentDefinitionNode):
                size = measure.fragment(node.name.value, 0)
            elif isinstance(node, OperationDefinitionNode):
                size = measure.selection_set(node.selection_set, 0)
                self._refuse("max_root_fields", "root fields", size.breadth, self.root_fields)
            else:
                continue  # a type definition, which validation refuses
            own = size.directives + len(node.directives or ())
            own += sum(len(item.directives or ()) for item in getattr(node, "variable_definitions", None) or ())
            self._refuse("max_depth", "levels of fields", size.depth, self.depth)
            self._refuse("max_height", "selected fields", size.height, self.height)
            self._refuse("max_aliases", "aliases", size.aliases, self.aliases)
            self._refuse("max_directives", "directives", own, self.directives)
            self._refuse("max_introspection_depth", "introspection lists", size.lists, self.introspection_depth)
            comparisons += _comparisons(node.selection_set, fragments, MAX_COMPARISONS - comparisons)

    @staticmethod
    def _refuse(limit: str, what: str, found: int, most: int) -> None:
        if found > most:
            raise exceeded(limit, f"the operation has {_count(found)} {what}; {most} are allowed", most)


def exceeded(limit: str, message: str, most: int, *, http_status: int = 400) -> RequestError:
    """Return the refusal of a request that is over ``limit``, a setting or a fixed bound."""
    extensions = {"limit": limit, "most": most}
    return RequestError(ErrorCode.LIMIT_EXCEEDED, message, http_status=http_status, extensions=extensions)


def _count(found: int) -> str:
    return str(found) if found < 1_000_000 else "millions of"


@dataclass(frozen=True, slots=True)
class _Size:
    """What a selection set unfolds to; ``breadth`` counts its own fields, the others all below."""

    depth: int = 0
    levels: int = 0
    breadth: int = 0
    height: int = 0
    aliases: int = 0
    directives: int = 0
    lists: int = 0


_NOTHING = _Size()


class _Measure:
    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._known: dict[str, _Size] = {}
        self._open: list[str] = []

    def fragment(self, name: str, level: int) -> _Size:
        """Return the size of a fragment; nothing for an unknown one, which validation names."""
        known = self._known.get(name)
        if known is not None:
            self._refuse_levels(level + known.levels)
            return known
        node = self._fragments.get(name)
        if node is None:
            return _NOTHING
        if name in self._open:
            via = (
                f" via {', '.join(map(repr, self._open[self._open.index(name) + 1 :]))}"
                if self._open[-1] != name
                else ""
            )
            fault = GraphQLError(f"Cannot spread fragment {name!r} within itself{via}.", node)
            raise RequestError(ErrorCode.GRAPHQL_VALIDATION_FAILED, fault.message, errors=(fault,))
        self._open.append(name)
        found = self._known[name] = self.selection_set(node.selection_set, level)
        self._open.pop()
        return found

    def selection_set(self, selection_set: SelectionSetNode, level: int) -> _Size:
        self._refuse_levels(level)
        depth = levels = breadth = height = aliases = directives = lists = 0
        for node in selection_set.selections:
            inner = self._below(node, level + 1)
            directives += len(node.directives or ()) + inner.directives
            levels = max(levels, 1 + inner.levels)
            height += inner.height
            aliases += inner.aliases
            if isinstance(node, FieldNode):
                name = node.name.value
                breadth += 1
                height += 1
                aliases += node.alias is not None
                depth = max(depth, 1 + inner.depth)
                lists = max(lists, inner.lists + (name in _INTROSPECTION_LISTS))
                if name in _INTROSPECTION and inner.height > MAX_INTROSPECTION_FIELDS:
                    message = f"introspection selects more than {MAX_INTROSPECTION_FIELDS} fields; ask for less"
                    raise exceeded("introspection_fields", message, MAX_INTROSPECTION_FIELDS)
            else:
                breadth += inner.breadth
                depth = max(depth, inner.depth)
                lists = max(lists, inner.lists)
        return _Size(depth, levels, breadth, height, aliases, directives, lists)

    def _below(self, node: SelectionNode, level: int) -> _Size:
        if isinstance(node, FragmentSpreadNode):
            return self.fragment(node.name.value, level)
        if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
            return self.selection_set(node.selection_set, level)
        return _NOTHING

    @staticmethod
    def _refuse_levels(levels: int) -> None:
        if levels > MAX_LEVELS:
            raise exceeded("levels", f"fields and fragments are nested more than {MAX_LEVELS} levels deep", MAX_LEVELS)


def _comparisons(selection_set: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode], most: int) -> int:
    """Return how many pairs of fields with one response path there are, type conditions left aside.

    Raises:
        RequestError: LIMIT_EXCEEDED, there are more than ``most``.
    """
    found = 0
    waiting: list[list[SelectionSetNode]] = [[selection_set]]
    while waiting:
        groups: dict[str, list[FieldNode]] = {}
        for field in _fields(waiting.pop(), fragments):
            groups.setdefault(field.alias.value if field.alias else field.name.value, []).append(field)
        for fields in groups.values():
            found += len(fields) * (len(fields) - 1) // 2
            if found > most:
                message = "the operation selects the same response names too often; merge its selections"
                raise exceeded("comparisons", message, MAX_COMPARISONS)
            inner = [field.selection_set for field in fields if field.selection_set is not None]
            if inner:
                waiting.append(inner)
    return found


def _fields(
    selection_sets: list[SelectionSetNode], fragments: dict[str, FragmentDefinitionNode]
) -> Iterable[FieldNode]:
    waiting = list(selection_sets)
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value in fragments:
                waiting.append(fragments[node.name.value].selection_set)
