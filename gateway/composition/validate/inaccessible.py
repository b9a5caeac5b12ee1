"""Rules of ``@inaccessible``: what stays visible must not need what is hidden.

Source: inaccessible specification v0.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphql import value_from_ast_untyped
from graphql.language import NonNullTypeNode, TypeNode

from gateway.composition.codes import Fault
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.merge.merged import MergedField, MergedInput, MergedSchema, MergedType, MergedValue
from gateway.composition.places import Reporter
from gateway.composition.subgraph_set import Subgraph
from gateway.supergraph import named_type

__all__ = ["check_inaccessible"]


def check_inaccessible(schema: MergedSchema, subgraphs: Sequence[Subgraph], diagnostics: Diagnostics) -> None:
    """Report everything hidden that something visible needs, and what can never be hidden."""
    reporter = Reporter(subgraphs, diagnostics)
    for type_ in schema.types.values():
        if schema.is_of_feature(type_.name):
            _check_feature_type(type_, reporter)
        else:
            _check_type(schema, type_, reporter)
    for name, directive in schema.directives.items():
        _check_arguments(schema, f"@{name}", directive.arguments, reporter)
    for subgraph in subgraphs:
        for name in schema.composed_directives:
            _check_composed_directive(schema, subgraph, name, reporter)


def _check_feature_type(type_: MergedType, reporter: Reporter) -> None:
    elements: list[tuple[str, MergedType | MergedField | MergedInput | MergedValue]] = [(type_.name, type_)]
    members: list[MergedField | MergedInput | MergedValue] = [*type_.fields.values(), *type_.inputs.values()]
    for member in (*members, *type_.values.values()):
        elements.append((f"{type_.name}.{member.name}", member))
        if isinstance(member, MergedField):
            elements += [(f"{type_.name}.{member.name}({one.name}:)", one) for one in member.arguments.values()]
    for coordinate, element in elements:
        if is_hidden(element):
            _disallow(coordinate, reporter)


def _check_composed_directive(schema: MergedSchema, subgraph: Subgraph, name: str, reporter: Reporter) -> None:
    member = subgraph.directive_members.get(name)
    for argument in member.arguments.values() if member else ():
        coordinate = f"@{name}({argument.name}:)"
        if argument.has("inaccessible"):
            _disallow(coordinate, reporter)
        elif argument.type is not None and not schema.is_of_feature(named_type(argument.type)):
            _check_reference(schema, coordinate, argument.type, reporter)


def _disallow(coordinate: str, reporter: Reporter) -> None:
    reporter.error(
        Fault.DISALLOWED_INACCESSIBLE,
        f"{coordinate} belongs to a linked feature, of which nothing can be @inaccessible",
        coordinate,
        "inaccessible",
    )


def _check_arguments(
    schema: MergedSchema, coordinate: str, arguments: Mapping[str, MergedInput], reporter: Reporter
) -> None:
    for argument in arguments.values():
        own = f"{coordinate}({argument.name}:)"
        if not is_hidden(argument):
            _check_reference(schema, own, argument.type, reporter)
            _check_default(schema, own, argument, reporter)
        elif isinstance(argument.type, NonNullTypeNode) and argument.default is None:
            reporter.error(Fault.REQUIRED_INACCESSIBLE, f"{own} is required but @inaccessible", own, "inaccessible")


def _check_type(schema: MergedSchema, type_: MergedType, reporter: Reporter) -> None:
    if is_hidden(type_):
        if type_.name == "Query":
            reporter.error(
                Fault.QUERY_ROOT_TYPE_INACCESSIBLE, "the query root type is @inaccessible", "Query", "inaccessible"
            )
        return
    members: Sequence[MergedField | MergedInput] = (*type_.fields.values(), *type_.inputs.values())
    everything = [*members, *type_.values.values()]
    if everything and all(is_hidden(one) for one in everything):
        reporter.error(
            Fault.ONLY_INACCESSIBLE_CHILDREN,
            f"everything in {type_.name} is @inaccessible, {type_.name} itself is not",
            type_.name,
        )
    if type_.types and all(name in schema.types and is_hidden(schema.types[name]) for name in type_.types):
        reporter.error(
            Fault.ONLY_INACCESSIBLE_CHILDREN,
            f"every member of {type_.name} is @inaccessible, {type_.name} itself is not",
            type_.name,
        )
    for member in members:
        if not is_hidden(member):
            _check_visible(schema, type_, member, reporter)
        else:
            _check_hidden(schema, type_, member, reporter)


def _check_visible(
    schema: MergedSchema, type_: MergedType, member: MergedField | MergedInput, reporter: Reporter
) -> None:
    coordinate = f"{type_.name}.{member.name}"
    _check_reference(schema, coordinate, member.type, reporter)
    if isinstance(member, MergedInput):
        _check_default(schema, coordinate, member, reporter)
        return
    _check_arguments(schema, coordinate, member.arguments, reporter)
    for argument in member.arguments.values():
        own = f"{coordinate}({argument.name}:)"
        if is_hidden(argument) and not (isinstance(argument.type, NonNullTypeNode) and argument.default is None):
            for name in type_.interfaces:
                interface = schema.types.get(name)
                field = interface.fields.get(member.name) if interface and not is_hidden(interface) else None
                visible = field.arguments.get(argument.name) if field and not is_hidden(field) else None
                if visible is not None and not is_hidden(visible):
                    reporter.error(
                        Fault.IMPLEMENTED_BY_INACCESSIBLE,
                        f"{own} is @inaccessible but {name}.{member.name}({argument.name}:) is not",
                        own,
                        "inaccessible",
                    )


def _check_hidden(
    schema: MergedSchema, type_: MergedType, member: MergedField | MergedInput, reporter: Reporter
) -> None:
    coordinate = f"{type_.name}.{member.name}"
    if isinstance(member, MergedInput):
        if isinstance(member.type, NonNullTypeNode) and member.default is None:
            reporter.error(
                Fault.REQUIRED_INACCESSIBLE, f"{coordinate} is required but @inaccessible", coordinate, "inaccessible"
            )
        return
    for name in type_.interfaces:
        interface = schema.types.get(name)
        if interface and not is_hidden(interface):
            field = interface.fields.get(member.name)
            if field is not None and not is_hidden(field):
                reporter.error(
                    Fault.IMPLEMENTED_BY_INACCESSIBLE,
                    f"{coordinate} is @inaccessible but {name}.{member.name}, which it implements, is not",
                    coordinate,
                    "inaccessible",
                )


def _check_reference(schema: MergedSchema, coordinate: str, type_: TypeNode, reporter: Reporter) -> None:
    name = named_type(type_)
    target = schema.types.get(name)
    if target is not None and is_hidden(target):
        reporter.error(
            Fault.REFERENCED_INACCESSIBLE,
            f"{coordinate} is visible but its type {name} is @inaccessible",
            coordinate,
        )


def _check_default(schema: MergedSchema, coordinate: str, one: MergedInput, reporter: Reporter) -> None:
    if one.default is None:
        return
    if _uses_hidden(schema, one.type, value_from_ast_untyped(one.default)):
        reporter.error(
            Fault.DEFAULT_VALUE_USES_INACCESSIBLE,
            f"the default of {coordinate} uses something @inaccessible",
            coordinate,
        )


def _uses_hidden(schema: MergedSchema, type_: TypeNode, value: object) -> bool:
    if isinstance(value, list):
        return any(_uses_hidden(schema, type_, item) for item in value)
    target = schema.types.get(named_type(type_))
    if target is None:
        return False
    if target.kind == "enum" and isinstance(value, str):
        found = target.values.get(value)
        return found is not None and is_hidden(found)
    if target.kind == "input" and isinstance(value, dict):
        return any(
            key in target.inputs
            and (is_hidden(target.inputs[key]) or _uses_hidden(schema, target.inputs[key].type, item))
            for key, item in value.items()
        )
    return False


def is_hidden(element: MergedType | MergedField | MergedInput | MergedValue) -> bool:
    """Tell whether a merged element is inaccessible."""
    return "@inaccessible" in element.applied
