"""Write the GraphQL text of fetches from the selections that planning collected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphql import print_ast
from graphql.language import ListValueNode, ObjectValueNode, ValueNode, VariableNode

from gateway.graph import SubgraphIndex
from gateway.plan.nodes import Guard
from gateway.planner.steps import Item, Level

__all__ = ["SelectionWriter", "write_guards"]


def write_guards(guards: Iterable[Guard]) -> str:
    """Return the directives for guards, empty when there are none."""
    return "".join(
        f"@{'include' if guard.expected else 'skip'}(if:${guard.variable})"
        for guard in sorted(guards, key=lambda one: (one.variable, one.expected))
    )


class SelectionWriter:
    """Writes the selection sets of one fetch and collects the client variables that they use.

    ``outer`` are guards that hold whenever the fetch is sent, so that they need not be repeated inside.
    """

    def __init__(self, index: SubgraphIndex, subgraph: str, outer: frozenset[Guard]) -> None:
        self._index = index
        self._subgraph = subgraph
        self._outer = outer
        self.variables: set[str] = set()

    def write(self, level: Level) -> str:
        """Return a selection set with its braces; ``{__typename}`` when nothing else is selected."""
        parts = ["__typename"] if level.typename else []
        conditional: dict[str, list[str]] = {}
        for condition, items in level.items.items():
            written = [self._item(item) for item in items.values()]
            if condition is None:
                parts.extend(written)
                continue
            for name in self._conditions(level, condition, items.values()):
                conditional.setdefault(name, []).extend(written)
        parts = list(dict.fromkeys(parts))
        plain = set(parts)
        for name, written in conditional.items():
            inner = [text for text in dict.fromkeys(written) if text not in plain]
            if inner:
                parts.append(f"...on {name}{{{_join(inner)}}}")
        return "{" + (_join(parts) or "__typename") + "}"

    def _conditions(self, level: Level, types: frozenset[str], items: Iterable[Item]) -> Sequence[str]:
        """Return type conditions for exactly these types: one interface when one fits, else each type."""
        if len(types) == 1:
            return tuple(types)
        possible = self._index.possible(self._subgraph, level.declared)
        names = [item.selected.name for item in items]
        for interface in self._index.interfaces(min(types)):
            join = self._index.supergraph.types[interface].joins.get(self._subgraph)
            if join is None or join.is_interface_object:
                continue
            if self._index.possible(self._subgraph, interface) & possible != types:
                continue
            declared = [self._index.declared(self._subgraph, interface, name) for name in names]
            if all(one is not None and not one.external for one in declared):
                return (interface,)
        return sorted(types)

    def _item(self, item: Item) -> str:
        selected = item.selected
        text = selected.name if item.key == selected.name else f"{item.key}:{selected.name}"
        for argument in selected.arguments:
            self._use(argument.value)
        arguments = [f"{one.name.value}:{print_ast(one.value)}" for one in selected.arguments]
        arguments += [f"{name}:${variable}" for name, variable in item.contexts]
        if arguments:
            text += f"({','.join(arguments)})"
        guards = [guard for guard in item.guards or () if guard not in self._outer]
        self.variables.update(guard.variable for guard in guards)
        text += write_guards(guards)
        return text + (self.write(item.level) if item.level is not None else "")

    def _use(self, value: ValueNode) -> None:
        if isinstance(value, VariableNode):
            self.variables.add(value.name.value)
        elif isinstance(value, ListValueNode):
            for inner in value.values or ():
                self._use(inner)
        elif isinstance(value, ObjectValueNode):
            for field in value.fields or ():
                self._use(field.value)


def _join(parts: Sequence[str]) -> str:
    """Join selections with as few blanks as GraphQL allows: none after a closing brace."""
    text = ""
    for part in parts:
        text += part if not text or text.endswith("}") or part.startswith("...") else f" {part}"
    return text
