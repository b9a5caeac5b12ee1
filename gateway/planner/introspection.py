"""Cut the introspection out of an operation: the gateway answers it by itself, from the schema that clients see."""

from __future__ import annotations

from graphql import print_ast
from graphql.language import (
    REMOVE,
    DirectiveNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    VariableNode,
    Visitor,
    VisitorAction,
    visit,
)

from gateway.operation.document import Operation

__all__ = ["write_introspection"]


def write_introspection(operation: Operation) -> str | None:
    """Return the introspection part of an operation as a document of its own, None when there is none."""
    if not operation.introspection:
        return None
    definitions = {
        node.name.value: node for node in operation.document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    uses = _Uses()
    asked = [visit(node, _AtOnce()) for node in operation.introspection]
    for node in asked:
        visit(node, uses)
    done: dict[str, str] = {}
    while pending := [name for name in uses.fragments if name not in done]:
        for name in pending:
            definition = visit(definitions[name], _AtOnce())
            done[name] = print_ast(definition)
            visit(definition, uses)
    variables = [
        print_ast(node) for node in operation.variable_definitions if node.variable.name.value in uses.variables
    ]
    head = f"query({','.join(variables)})" if variables else ""
    body = " ".join(map(print_ast, asked))
    return "\n".join([f"{head}{{{body}}}", *done.values()])


class _AtOnce(Visitor):
    """Takes out what would leave something for later: all of the schema is at hand."""

    def enter_directive(self, node: DirectiveNode, *_: object) -> VisitorAction:
        return REMOVE if node.name.value in {"defer", "stream"} else None


class _Uses(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.variables: dict[str, None] = {}
        self.fragments: dict[str, None] = {}

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.variables[node.name.value] = None

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        self.fragments[node.name.value] = None
