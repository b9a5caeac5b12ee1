"""Read the text of a fetch: what it selects of which types, which entities its answer will hold, what is said of them.

The text is read once per plan, against the supergraph; what comes out walks answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from graphql import parse, print_ast
from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeNode,
    VariableNode,
    Visitor,
    visit,
)

from gateway.supergraph import Supergraph

__all__ = ["ENTITIES", "KeyTree", "Selected", "SelectionReader", "named", "variables_in"]

ENTITIES = "_entities"
_ANY_ENTITY = "_Entity"

KeyTree = tuple[tuple[str, "KeyTree"], ...]
"""A key as its field names, sorted, each with the fields below it."""


@dataclass(slots=True)
class Selected:
    """A selection set on objects of one or several types, flattened for each.

    Attributes:
        typename_key: response key of the type name, None when it is not selected.
        by_type: for each type that an object may say it has: the node of each field by response key.
    """

    type_name: str
    typename_key: str | None = None
    by_type: dict[str, dict[str, SelectedLeaf]] = field(default_factory=dict)

    def walk(self) -> Iterator[Selected]:
        """Yield this selection and each below it, once per place."""
        yield self
        below = {id(leaf.below): leaf.below for leaves in self.by_type.values() for leaf in leaves.values()}
        for item in below.values():
            if item is not None:
                yield from item.walk()


@dataclass(frozen=True, slots=True)
class SelectedLeaf:
    """One field as it is selected: its definition's coordinate, its arguments, and what is below it."""

    node: FieldNode
    coordinate: str
    below: Selected | None


class SelectionReader:
    """Reads fetches against one supergraph."""

    def __init__(self, supergraph: Supergraph) -> None:
        self._supergraph = supergraph
        self.keys: dict[str, tuple[KeyTree, ...]] = {}
        for type_ in supergraph.types.values():
            found = {_key_tree(fields) for join in type_.joins.values() for fields, _ in join.keys}
            if found and type_.kind in {"object", "interface"}:
                self.keys[type_.name] = tuple(sorted(found))

    def names_of(self, type_name: str) -> tuple[str, ...]:
        """Return the type and the interfaces with keys by which its objects are known too."""
        type_ = self._supergraph.types.get(type_name)
        interfaces = () if type_ is None else dict.fromkeys(sum(type_.interfaces.values(), ()))
        return (type_name, *(name for name in interfaces if name in self.keys and name != type_name))

    def read(self, document: DocumentNode, root_type: str) -> Selected:
        """Return the selection of the operation of a document."""
        operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        return self._set(operation.selection_set, root_type, fragments)

    def _set(
        self, selection: SelectionSetNode, type_name: str, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> Selected:
        found = Selected(type_name)
        below: dict[int, Selected] = {}
        for possible in self._possible_in(selection, type_name):
            leaves: dict[str, SelectedLeaf] = {}
            for owner, node in self._fields(selection, type_name, possible, fragments):
                name = node.name.value
                key = node.alias.value if node.alias else name
                if name == "__typename":
                    found.typename_key = key
                    continue
                target = self._target(owner, possible, name)
                if node.selection_set is not None and target is not None and id(node) not in below:
                    below[id(node)] = self._set(node.selection_set, target, fragments)
                leaf = SelectedLeaf(node, f"{owner}.{name}", below.get(id(node)))
                leaves[key] = leaf if key not in leaves else _merged(leaves[key], leaf)
            found.by_type[possible] = leaves
        return found

    def _possible_in(self, selection: SelectionSetNode, type_name: str) -> tuple[str, ...]:
        if type_name != _ANY_ENTITY:
            return self.possible(type_name)
        conditions = [
            item.type_condition.name.value
            for item in selection.selections
            if isinstance(item, InlineFragmentNode) and item.type_condition is not None
        ]
        return tuple(dict.fromkeys(name for condition in conditions for name in self.possible(condition)))

    def possible(self, type_name: str) -> tuple[str, ...]:
        """Return the types that an object of a type may say it has: interface objects have the interface's name."""
        return tuple(dict.fromkeys((*self._supergraph.possible_types.get(type_name, ()), type_name)))

    def _fields(
        self,
        selection: SelectionSetNode,
        owner: str,
        possible: str,
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> Iterator[tuple[str, FieldNode]]:
        """Yield the fields that apply to objects of ``possible``, each with the type that it is selected on."""
        for item in selection.selections:
            if isinstance(item, FieldNode):
                yield owner, item
                continue
            fragment: InlineFragmentNode | FragmentDefinitionNode
            if isinstance(item, InlineFragmentNode):
                fragment = item
            elif isinstance(item, FragmentSpreadNode):
                fragment = fragments[item.name.value]
            else:
                continue
            condition = fragment.type_condition.name.value if fragment.type_condition else owner
            if possible in self.possible(condition):
                yield from self._fields(fragment.selection_set, condition, possible, fragments)

    def _target(self, owner: str, possible: str, name: str) -> str | None:
        if name == ENTITIES:
            return _ANY_ENTITY
        for type_name in (owner, possible):
            type_ = self._supergraph.types.get(type_name)
            if type_ is not None and name in type_.fields:
                return named(type_.fields[name].type)
        return None


def _merged(one: SelectedLeaf, other: SelectedLeaf) -> SelectedLeaf:
    """Join two selections of the same response key on one type."""
    if one.below is None or other.below is None or one.below is other.below:
        return one
    below = Selected(one.below.type_name, one.below.typename_key or other.below.typename_key)
    for type_name in dict.fromkeys((*one.below.by_type, *other.below.by_type)):
        leaves = dict(one.below.by_type.get(type_name, {}))
        for key, leaf in other.below.by_type.get(type_name, {}).items():
            leaves[key] = _merged(leaves[key], leaf) if key in leaves else leaf
        below.by_type[type_name] = leaves
    return SelectedLeaf(one.node, one.coordinate, below)


def named(type_: TypeNode) -> str:
    """Return the name of a type without lists and exclamation marks."""
    while isinstance(type_, ListTypeNode | NonNullTypeNode):
        type_ = type_.type
    return print_ast(type_)


@lru_cache(maxsize=1024)
def _key_tree(fields: str) -> KeyTree:
    operation = parse(f"{{{fields}}}", no_location=True).definitions[0]
    if not isinstance(operation, OperationDefinitionNode):  # pragma: no cover - braces make an operation
        raise TypeError(fields)
    return _tree(operation.selection_set.selections)


def _tree(selections: Iterable[object]) -> KeyTree:
    found: dict[str, KeyTree] = {}
    for item in selections:
        if isinstance(item, FieldNode):
            found[item.name.value] = _tree(item.selection_set.selections) if item.selection_set else ()
        elif isinstance(item, InlineFragmentNode):
            found.update(_tree(item.selection_set.selections))
    return tuple(sorted((name, below) for name, below in found.items() if name != "__typename"))


def variables_in(*nodes: SelectionSetNode | FieldNode) -> tuple[str, ...]:
    """Return the names of the variables that are used in parts of a document, sorted."""
    found = _Variables()
    for node in nodes:
        visit(node, found)
    return tuple(sorted(found.names))


class _Variables(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.names.add(node.name.value)
