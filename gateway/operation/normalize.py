"""Turn a selection set into a tree of fields.

1. Fragments are unfolded; a type condition becomes the set of object types for which a field is selected.
2. Constant ``@skip`` and ``@include`` are folded; those with variables become guards.
3. Fragments that are deferred and lists that are streamed get a number; a field that is selected in deferred fragments
   only keeps their numbers.
4. Fields with one response key are merged per object type: the types for which the same nodes contribute form one
   group, so that implementations that are asked for the same are planned together.

Cost: linear in the size of the unfolded operation times the number of types of its conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from graphql import print_ast
from graphql.language import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    NamedTypeNode,
    NonNullTypeNode,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    TypeNode,
    ValueNode,
    VariableNode,
)
from graphql.language.ast import NameNode

from gateway.errors import ErrorCode, RequestError
from gateway.operation.document import DeferredSelection, Guards, SelectedField
from gateway.plan.nodes import Guard, StreamedList
from gateway.supergraph import Supergraph, named_type

__all__ = ["Normalizer"]

MAX_FIELDS = 20_000
"""Most fields that an operation may unfold to; nested fragments grow exponentially and must not exhaust memory."""

MAX_STREAMED_LISTS = 20
"""Most lists that one operation streams, since each adds requests to subgraphs; further ones come whole."""

_INTROSPECTION_FIELDS = frozenset({"__schema", "__type"})
_TYPENAME_TYPE = NonNullTypeNode(type=NamedTypeNode(name=NameNode(value="String")))


@dataclass(frozen=True, slots=True)
class _Contribution:
    node: FieldNode
    on: frozenset[str]
    guards: tuple[Guard, ...]
    part: int | None
    stream: int | None


def _label(given: Mapping[str, ValueNode]) -> str | None:
    label = given.get("label")
    return label.value if isinstance(label, StringValueNode) else None


class Normalizer:
    """Normalises selection sets of one document against one supergraph."""

    def __init__(
        self,
        supergraph: Supergraph,
        fragments: Mapping[str, FragmentDefinitionNode] | None = None,
        defers: Callable[[str], bool | int] | None = None,
    ) -> None:
        """``defers`` tells the value of a variable of ``@defer`` or ``@stream``; None leaves nothing for later."""
        self._types = supergraph.types
        self._possible = {name: frozenset(types) for name, types in supergraph.possible_types.items()}
        self._fragments = fragments or {}
        self._budget = MAX_FIELDS
        self._defers = defers
        self._streamed = 0
        self.deferred: list[DeferredSelection] = []

    def normalize(
        self, selection_set: SelectionSetNode, parent: str, introspection: list[FieldNode] | None = None
    ) -> tuple[SelectedField, ...]:
        """Return the normalised fields of a selection set on a composite type.

        ``introspection`` takes the nodes of ``__schema`` and ``__type``, which only root types have.

        Raises:
            RequestError: the selection unfolds to more than ``MAX_FIELDS`` fields (LIMIT_EXCEEDED).
        """
        types = self._possible.get(parent, frozenset())
        found = list(self._unfold(selection_set, types, (), None, None))
        if introspection is not None:
            introspection.extend(item.node for item in found if item.node.name.value in _INTROSPECTION_FIELDS)
            found = [item for item in found if item.node.name.value not in _INTROSPECTION_FIELDS]
        return self._merge(found)

    def _unfold(
        self,
        selection_set: SelectionSetNode,
        types: frozenset[str],
        guards: tuple[Guard, ...],
        part: int | None,
        stream: int | None,
    ) -> Iterable[_Contribution]:
        for node in selection_set.selections:
            own = _guards_of(node, guards)
            if own is None:
                continue
            if isinstance(node, FieldNode):
                self._budget -= 1
                if self._budget < 0:
                    message = (
                        f"the operation unfolds to more than {MAX_FIELDS} fields; select fewer fields or fragments"
                    )
                    raise RequestError(ErrorCode.LIMIT_EXCEEDED, message)
                if types:
                    yield _Contribution(node, types, own, part, stream)
            elif isinstance(node, InlineFragmentNode):
                inner = self._narrow(types, node.type_condition)
                yield from self._unfold(node.selection_set, inner, own, self._part_of(node, part, stream), stream)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                inner = self._narrow(types, fragment.type_condition)
                yield from self._unfold(fragment.selection_set, inner, own, self._part_of(node, part, stream), stream)

    def _part_of(
        self, node: InlineFragmentNode | FragmentSpreadNode, outer: int | None, stream: int | None
    ) -> int | None:
        """Return the number of the deferred fragment that a fragment's fields belong to."""
        given = self._switched_on(node, "defer")
        if given is None:
            return outer
        return self._defer(DeferredSelection(_label(given), self._later(outer, stream)))

    def _stream_of(self, items: list[_Contribution]) -> StreamedList | None:
        """Return what a field leaves for later; a list that several deliveries bring is not streamed."""
        given = self._switched_on(items[0].node, "stream")
        if given is None or len({item.part for item in items}) > 1 or self._streamed == MAX_STREAMED_LISTS:
            return None
        self._streamed += 1
        count = self._count(given.get("initialCount"))
        part = self._defer(DeferredSelection(_label(given), self._later(items[0].part, items[0].stream), count))
        return StreamedList(part, count)

    def _switched_on(self, node: SelectionNode, name: str) -> Mapping[str, ValueNode] | None:
        """Return the arguments of a directive that changes the delivery, None when it is not there or off."""
        if self._defers is None:
            return None
        for directive in node.directives or ():
            if directive.name.value == name:
                given = {one.name.value: one.value for one in directive.arguments or ()}
                condition = given.get("if")
                if isinstance(condition, BooleanValueNode) and not condition.value:
                    return None
                if isinstance(condition, VariableNode) and not self._defers(condition.name.value):
                    return None
                return given
        return None

    def _count(self, value: ValueNode | None) -> int:
        """Return how many items come first; what is no whole number is refused with the variables."""
        if isinstance(value, IntValueNode):
            return int(value.value)
        if isinstance(value, VariableNode) and self._defers is not None:
            found = self._defers(value.name.value)
            if found < 0:
                message = f"@stream: initialCount is {found} by the variable ${value.name.value}; it cannot be negative"
                raise RequestError(ErrorCode.BAD_USER_INPUT, message)
            return 0 if isinstance(found, bool) else found
        return 0

    def _defer(self, selection: DeferredSelection) -> int:
        self.deferred.append(selection)
        return len(self.deferred) - 1

    def _later(self, outer: int | None, stream: int | None) -> int | None:
        """Return after which part something comes that stands in ``outer`` and in the items of ``stream``."""
        if outer is not None and (stream is None or stream in self._around(outer)):
            return outer
        return stream

    def _parts(self, items: Iterable[_Contribution]) -> frozenset[int]:
        """Return the deferred fragments that deliver a field: none when it is selected outside them, else the outer."""
        found = {item.part for item in items}
        return frozenset(part for part in found if part is not None and found.isdisjoint(self._around(part)))

    def _around(self, part: int) -> Iterable[int | None]:
        around: int | None = part
        while around is not None:
            around = self.deferred[around].parent
            yield around

    def _narrow(self, types: frozenset[str], condition: NamedTypeNode | None) -> frozenset[str]:
        return types if condition is None else types & self._possible.get(condition.name.value, frozenset())

    def _merge(self, contributions: Iterable[_Contribution]) -> tuple[SelectedField, ...]:
        by_key: dict[str, list[_Contribution]] = {}
        for item in contributions:
            key = item.node.alias.value if item.node.alias else item.node.name.value
            by_key.setdefault(key, []).append(item)
        return tuple(field for key, items in by_key.items() for field in self._group(key, items))

    def _group(self, key: str, items: list[_Contribution]) -> Iterable[SelectedField]:
        groups: dict[tuple[object, ...], set[str]] = {}
        members: dict[tuple[object, ...], list[_Contribution]] = {}
        for name in sorted(frozenset().union(*(item.on for item in items))):
            chosen = [item for item in items if name in item.on]
            type_ = self._field_type(name, chosen[0].node.name.value)
            signature: tuple[object, ...] = (tuple(map(id, chosen)), print_ast(type_))
            groups.setdefault(signature, set()).add(name)
            members[signature] = chosen
        for signature, types in groups.items():
            yield self._build(key, members[signature], frozenset(types))

    def _build(self, key: str, items: list[_Contribution], on: frozenset[str]) -> SelectedField:
        node = items[0].node
        type_ = self._field_type(min(on), node.name.value)
        target = named_type(type_)
        composite = target in self._possible
        stream = self._stream_of(items)
        within = items[0].stream if stream is None else stream.part
        shared = len({item.guards for item in items}) == 1
        guards: Guards = (
            () if any(not item.guards for item in items) else tuple(sorted({i.guards for i in items}, key=str))
        )
        fields: tuple[SelectedField, ...] = ()
        if composite:
            types = self._possible[target]
            fields = self._merge(
                child
                for item in items
                if item.node.selection_set
                for child in self._unfold(
                    item.node.selection_set, types, () if shared else item.guards, item.part, within
                )
            )
        arguments = tuple(sorted(node.arguments or (), key=lambda argument: argument.name.value))
        text = ",".join(print_ast(argument) for argument in arguments)
        return SelectedField(
            key=key,
            name=node.name.value,
            arguments=arguments,
            arguments_text=text,
            on=on,
            type=type_,
            target=target if composite else None,
            guards=guards,
            fields=fields,
            deferred=self._parts(items),
            stream=stream,
        )

    def _field_type(self, type_name: str, field: str) -> TypeNode:
        if field == "__typename":
            return _TYPENAME_TYPE
        if field in _INTROSPECTION_FIELDS:
            message = f"{field} is answered at the root of an operation only; move it there"
            raise RequestError(ErrorCode.GRAPHQL_VALIDATION_FAILED, message)
        return self._types[type_name].fields[field].type


def _guards_of(node: SelectionNode, outer: tuple[Guard, ...]) -> tuple[Guard, ...] | None:
    """Return the guards of a selection, None when it can never be selected."""
    found = outer
    for directive in node.directives or ():
        name = directive.name.value
        if name not in {"skip", "include"} or not directive.arguments:
            continue
        value = directive.arguments[0].value
        wanted = name == "include"
        if isinstance(value, BooleanValueNode):
            if value.value is not wanted:
                return None
        elif isinstance(value, VariableNode):
            guard = Guard(value.name.value, wanted)
            if Guard(guard.variable, not wanted) in found:
                return None
            if guard not in found:
                found = tuple(sorted((*found, guard), key=lambda item: (item.variable, item.expected)))
    return found
