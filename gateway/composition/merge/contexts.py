"""``@fromContext`` arguments: what clients do not give, because the gateway reads it from an enclosing object."""

from __future__ import annotations

import json

from graphql import print_ast
from graphql.language import NonNullTypeNode

from gateway.composition.codes import Fault, Hint
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.merge.ownership import Found
from gateway.composition.subgraph_set import Definition, Member, Subgraph
from gateway.composition.validate.contexts import ContextFault, read_selection

__all__ = ["check_contextual", "context_arguments", "set_contexts"]


def set_contexts(subgraph: Subgraph, definition: Definition) -> list[str]:
    """Return the directives that say which contexts the objects of a type set."""
    names = dict.fromkeys(str(applied.arguments.get("name")) for applied in definition.all("context"))
    return [f"@context(name: {json.dumps(_full_name(subgraph.name, name))})" for name in names]


def _full_name(subgraph: str, name: str) -> str:
    """Return the name of a context in the supergraph, where the contexts of all subgraphs meet."""
    return f"{subgraph}__{name}"


def context_arguments(subgraph: Subgraph, member: Member) -> list[str]:
    """Return the entries of ``@join__field(contextArguments:)`` for a field of a subgraph."""
    found = []
    for argument in member.arguments.values():
        applied = argument.get("fromContext")
        if applied is None or argument.type is None:
            continue
        try:
            name, selection = read_selection(applied)
        except ContextFault:
            continue
        context = json.dumps(_full_name(subgraph.name, name))
        found.append(
            f"{{context: {context}, name: {json.dumps(argument.name)}, type: {json.dumps(print_ast(argument.type))}, "
            f"selection: {json.dumps(selection)}}}"
        )
    return found


def check_contextual(coordinate: str, name: str, own: Found, diagnostics: Diagnostics) -> None:
    """Report subgraphs that expect from clients what another reads from a context, since nobody gives it then."""
    for subgraph, _, member in own:
        argument = member.arguments.get(name)
        if argument is None or argument.has("fromContext"):
            continue
        message = f"[{subgraph.name}] {coordinate} is read from a context in another subgraph, "
        at = [(subgraph.name, argument.node)]
        if isinstance(argument.type, NonNullTypeNode) and argument.default is None:
            code = Fault.CONTEXTUAL_ARGUMENT_NOT_CONTEXTUAL_IN_ALL_SUBGRAPHS
            message += "but must be given here; read it from a context here, too"
            diagnostics.error(code, message, coordinate=coordinate, at=at)
        else:
            hint = Hint.CONTEXTUAL_ARGUMENT_NOT_CONTEXTUAL_IN_ALL_SUBGRAPHS
            message += "but not here, where clients can no longer give it"
            diagnostics.hint(hint, message, coordinate=coordinate, at=at)
