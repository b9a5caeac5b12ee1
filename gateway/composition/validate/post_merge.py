"""Rules of the merged schema as such: what is implemented is there, and what defaults say still exists."""

from __future__ import annotations

from collections.abc import Sequence

from graphql import GraphQLError, print_ast
from graphql.language import (
    ConstValueNode,
    EnumValueNode,
    ListTypeNode,
    ListValueNode,
    NonNullTypeNode,
    NullValueNode,
    ObjectValueNode,
    TypeNode,
)

from gateway.composition.codes import Fault
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.merge.merged import MergedInput, MergedSchema, MergedType
from gateway.composition.merge.type_refs import is_output_subtype
from gateway.composition.places import Reporter, find_places
from gateway.composition.subgraph_set import Subgraph
from gateway.errors import SupergraphError
from gateway.supergraph import Supergraph, named_type

__all__ = ["check_api_schema", "check_merged"]


def check_merged(schema: MergedSchema, subgraphs: Sequence[Subgraph], diagnostics: Diagnostics) -> None:
    """Report every rule that the merged schema breaks."""
    reporter = Reporter(subgraphs, diagnostics)
    for type_ in schema.types.values():
        _check_interfaces(schema, type_, subgraphs, diagnostics)
        _check_interface_entities(schema, type_, subgraphs, diagnostics)
        for field in type_.fields.values():
            for argument in field.arguments.values():
                _check_default(schema, f"{type_.name}.{field.name}({argument.name}:)", argument, reporter)
        for one in type_.inputs.values():
            _check_default(schema, f"{type_.name}.{one.name}", one, reporter)
    for directive in schema.directives.values():
        for argument in directive.arguments.values():
            _check_default(schema, f"@{directive.name}({argument.name}:)", argument, reporter)


def check_api_schema(supergraph: Supergraph, diagnostics: Diagnostics) -> None:
    """Report an API schema that cannot be built."""
    try:
        _ = supergraph.api_schema
    except (SupergraphError, GraphQLError) as error:
        diagnostics.error(Fault.INVALID_GRAPHQL, f"the composed schema is not valid: {error}")


def _check_interfaces(
    schema: MergedSchema, type_: MergedType, subgraphs: Sequence[Subgraph], diagnostics: Diagnostics
) -> None:
    def is_subtype(sub: str, super_: str) -> bool:
        found = schema.types.get(sub)
        target = schema.types.get(super_)
        return bool(found and super_ in found.interfaces) or bool(target and sub in target.types)

    for name in type_.interfaces:
        interface = schema.types.get(name)
        if interface is None:
            continue
        for field in interface.fields.values():
            own = type_.fields.get(field.name)
            if own is None:
                sources = ", ".join(subgraph for subgraph, _ in find_places(subgraphs, f"{name}.{field.name}"))
                implementing = [(one, one.definitions.get(type_.name)) for one in subgraphs]
                diagnostics.error(
                    Fault.INTERFACE_FIELD_NO_IMPLEM,
                    f"{type_.name} implements {name} but lacks the field {field.name}, which {name} has in {sources}",
                    coordinate=f"{type_.name}.{field.name}",
                    at=[(one.name, item.node) for one, item in implementing if item and name in item.interfaces],
                )
            elif not is_output_subtype(own.type, field.type, is_subtype):
                diagnostics.error(
                    Fault.INVALID_GRAPHQL,
                    f"{type_.name}.{field.name} is {print_ast(own.type)}, which is no {print_ast(field.type)} as "
                    f"{name}.{field.name} demands",
                    coordinate=f"{type_.name}.{field.name}",
                    at=find_places(subgraphs, f"{type_.name}.{field.name}"),
                )


def _check_interface_entities(
    schema: MergedSchema, type_: MergedType, subgraphs: Sequence[Subgraph], diagnostics: Diagnostics
) -> None:
    """Who resolves references to an interface knows all of its implementations; interface objects know none."""
    if type_.kind != "interface":
        return
    everywhere = {one.name for one in schema.types.values() if one.kind == "object" and type_.name in one.interfaces}
    for subgraph in subgraphs:
        definition = subgraph.definitions.get(type_.name)
        if definition is None:
            continue
        own = {one.name for one in subgraph.implementations(type_.name)}
        at = [(subgraph.name, definition.node)]
        if definition.has("interfaceObject"):
            if everywhere & set(subgraph.definitions):
                diagnostics.error(
                    Fault.INTERFACE_OBJECT_USAGE_ERROR,
                    f"[{subgraph.name}] {type_.name} is an @interfaceObject, so the subgraph cannot define "
                    f"{', '.join(sorted(everywhere & set(subgraph.definitions)))}",
                    coordinate=type_.name,
                    at=at,
                )
        elif any(key.arguments.get("resolvable") is not False for key in definition.all("key")) and everywhere - own:
            diagnostics.error(
                Fault.INTERFACE_KEY_MISSING_IMPLEMENTATION_TYPE,
                f"[{subgraph.name}] {type_.name} has a key but lacks the implementations "
                f"{', '.join(sorted(everywhere - own))}",
                coordinate=type_.name,
                at=at,
            )


# --- defaults ------------------------------------------------------------------------------------------------------


def _check_default(schema: MergedSchema, coordinate: str, one: MergedInput, reporter: Reporter) -> None:
    """Report a default that names what merging left out, such as an input field that only one subgraph has."""
    if one.default is None:
        return
    fault = _default_fault(schema, one.type, one.default)
    if fault is not None:
        message = f"the default {print_ast(one.default)} of {coordinate} is not valid: {fault}"
        reporter.error(Fault.INVALID_GRAPHQL, message, coordinate)


def _default_fault(schema: MergedSchema, type_: TypeNode, value: ConstValueNode) -> str | None:
    if isinstance(type_, NonNullTypeNode):
        return (
            "null is given where a value is needed"
            if isinstance(value, NullValueNode)
            else _default_fault(schema, type_.type, value)
        )
    if isinstance(value, NullValueNode):
        return None
    if isinstance(type_, ListTypeNode):
        items = value.values if isinstance(value, ListValueNode) else (value,)
        return next(filter(None, (_default_fault(schema, type_.type, item) for item in items)), None)
    target = schema.types.get(named_type(type_))
    if target is None:
        return None
    if target.kind == "enum" and isinstance(value, EnumValueNode) and value.value not in target.values:
        return f"{target.name} has no value {value.value}"
    if target.kind == "input":
        return _object_fault(schema, target, value)
    return None


def _object_fault(schema: MergedSchema, target: MergedType, value: ConstValueNode) -> str | None:
    if not isinstance(value, ObjectValueNode):
        return f"{target.name} needs an object"
    given = {field.name.value: field.value for field in value.fields}
    for name in given:
        if name not in target.inputs:
            return f"{target.name} has no field {name}"
    for name, one in target.inputs.items():
        if name not in given and isinstance(one.type, NonNullTypeNode) and one.default is None:
            return f"{target.name}.{name} is required"
    return next(
        filter(None, (_default_fault(schema, target.inputs[name].type, item) for name, item in given.items())), None
    )
