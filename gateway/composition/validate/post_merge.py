"""Rules of the merged schema: what is hidden must not be needed, and what is implemented must be there."""

from __future__ import annotations

from collections.abc import Sequence

from graphql import GraphQLError, print_ast, value_from_ast_untyped
from graphql.language import NonNullTypeNode, TypeNode

from gateway.composition.diagnostics import Diagnostics
from gateway.composition.merge.merged import MergedField, MergedInput, MergedSchema, MergedType, MergedValue
from gateway.composition.merge.type_refs import is_output_subtype
from gateway.composition.subgraph_set import Subgraph
from gateway.errors import SupergraphError
from gateway.graph import SubgraphIndex
from gateway.operation.document import SelectedField
from gateway.operation.normalize import named_type
from gateway.supergraph import AuthorizationRule, Supergraph

__all__ = ["check_merged", "check_supergraph"]


def check_merged(schema: MergedSchema, subgraphs: Sequence[Subgraph], diagnostics: Diagnostics) -> None:
    """Report every rule that the merged schema breaks."""
    for type_ in schema.types.values():
        _check_interfaces(schema, type_, subgraphs, diagnostics)
        _check_interface_entities(schema, type_, subgraphs, diagnostics)
    if diagnostics.errors:
        return
    for type_ in schema.types.values():
        _check_inaccessible(schema, type_, diagnostics)
        _check_authorization(schema, type_, diagnostics)


def check_supergraph(supergraph: Supergraph, diagnostics: Diagnostics) -> None:
    """Report an API schema that cannot be built, and rights that ``@requires`` would get around."""
    _check_required_rights(supergraph, diagnostics)
    try:
        _ = supergraph.api_schema
    except (SupergraphError, GraphQLError) as error:
        diagnostics.error("INVALID_GRAPHQL", f"the composed schema is not valid: {error}")


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
                diagnostics.error(
                    "INTERFACE_FIELD_NO_IMPLEM",
                    f"{type_.name} does not have {name}.{field.name}, which {type_.name} implements",
                    coordinate=f"{type_.name}.{field.name}",
                    at=[(s.name, s.definitions[type_.name].node) for s in subgraphs if type_.name in s.definitions],
                )
            elif not is_output_subtype(own.type, field.type, is_subtype):
                diagnostics.error(
                    "INVALID_GRAPHQL",
                    f"{type_.name}.{field.name} is {print_ast(own.type)}, which is no {print_ast(field.type)} as "
                    f"{name}.{field.name} demands",
                    coordinate=f"{type_.name}.{field.name}",
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
                    "INTERFACE_OBJECT_USAGE_ERROR",
                    f"[{subgraph.name}] {type_.name} is an @interfaceObject, so the subgraph cannot define "
                    f"{', '.join(sorted(everywhere & set(subgraph.definitions)))}",
                    coordinate=type_.name,
                    at=at,
                )
        elif any(key.arguments.get("resolvable") is not False for key in definition.all("key")) and everywhere - own:
            diagnostics.error(
                "INTERFACE_KEY_MISSING_IMPLEMENTATION_TYPE",
                f"[{subgraph.name}] {type_.name} has a key but lacks the implementations "
                f"{', '.join(sorted(everywhere - own))}",
                coordinate=type_.name,
                at=at,
            )


# --- inaccessible --------------------------------------------------------------------------------------------------


def _check_inaccessible(schema: MergedSchema, type_: MergedType, diagnostics: Diagnostics) -> None:
    if is_hidden(type_):
        if type_.name == "Query":
            diagnostics.error(
                "QUERY_ROOT_TYPE_INACCESSIBLE", "the query root type is @inaccessible", coordinate="Query"
            )
        return
    members: Sequence[MergedField | MergedInput] = (*type_.fields.values(), *type_.inputs.values())
    everything = [*members, *type_.values.values()]
    if everything and all(is_hidden(one) for one in everything):
        diagnostics.error(
            "ONLY_INACCESSIBLE_CHILDREN",
            f"everything in {type_.name} is @inaccessible, {type_.name} itself is not",
            coordinate=type_.name,
        )
    if type_.types and all(name in schema.types and is_hidden(schema.types[name]) for name in type_.types):
        diagnostics.error(
            "ONLY_INACCESSIBLE_CHILDREN",
            f"every member of {type_.name} is @inaccessible, {type_.name} itself is not",
            coordinate=type_.name,
        )
    for member in members:
        if not is_hidden(member):
            _check_visible(schema, type_, member, diagnostics)
        else:
            _check_hidden(schema, type_, member, diagnostics)


def _check_visible(
    schema: MergedSchema, type_: MergedType, member: MergedField | MergedInput, diagnostics: Diagnostics
) -> None:
    coordinate = f"{type_.name}.{member.name}"
    _check_reference(schema, coordinate, member.type, diagnostics)
    if isinstance(member, MergedInput):
        _check_default(schema, coordinate, member, diagnostics)
        return
    for argument in member.arguments.values():
        own = f"{coordinate}({argument.name}:)"
        if not is_hidden(argument):
            _check_reference(schema, own, argument.type, diagnostics)
            _check_default(schema, own, argument, diagnostics)
        elif isinstance(argument.type, NonNullTypeNode) and argument.default is None:
            diagnostics.error("REQUIRED_INACCESSIBLE", f"{own} is required but @inaccessible", coordinate=own)
        else:
            for name in type_.interfaces:
                interface = schema.types.get(name)
                field = interface.fields.get(member.name) if interface and not is_hidden(interface) else None
                visible = field.arguments.get(argument.name) if field and not is_hidden(field) else None
                if visible is not None and not is_hidden(visible):
                    diagnostics.error(
                        "IMPLEMENTED_BY_INACCESSIBLE",
                        f"{own} is @inaccessible but {name}.{member.name}({argument.name}:) is not",
                        coordinate=own,
                    )


def _check_hidden(
    schema: MergedSchema, type_: MergedType, member: MergedField | MergedInput, diagnostics: Diagnostics
) -> None:
    coordinate = f"{type_.name}.{member.name}"
    if isinstance(member, MergedInput):
        if isinstance(member.type, NonNullTypeNode) and member.default is None:
            diagnostics.error(
                "REQUIRED_INACCESSIBLE", f"{coordinate} is required but @inaccessible", coordinate=coordinate
            )
        return
    for name in type_.interfaces:
        interface = schema.types.get(name)
        if interface and not is_hidden(interface):
            field = interface.fields.get(member.name)
            if field is not None and not is_hidden(field):
                diagnostics.error(
                    "IMPLEMENTED_BY_INACCESSIBLE",
                    f"{coordinate} is @inaccessible but {name}.{member.name}, which it implements, is not",
                    coordinate=coordinate,
                )


def _check_reference(schema: MergedSchema, coordinate: str, type_: TypeNode, diagnostics: Diagnostics) -> None:
    name = named_type(type_)
    target = schema.types.get(name)
    if target is not None and is_hidden(target):
        diagnostics.error(
            "REFERENCED_INACCESSIBLE",
            f"{coordinate} is visible but its type {name} is @inaccessible",
            coordinate=coordinate,
        )


def _check_default(schema: MergedSchema, coordinate: str, one: MergedInput, diagnostics: Diagnostics) -> None:
    if one.default is None:
        return
    if _uses_hidden(schema, one.type, value_from_ast_untyped(one.default)):
        diagnostics.error(
            "DEFAULT_VALUE_USES_INACCESSIBLE",
            f"the default of {coordinate} uses something @inaccessible",
            coordinate=coordinate,
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


# --- authorization -------------------------------------------------------------------------------------------------

_RIGHTS = ("@authenticated", "@requiresScopes", "@policy")


def _check_authorization(schema: MergedSchema, type_: MergedType, diagnostics: Diagnostics) -> None:
    _ = schema
    if type_.kind != "interface":
        return
    elements: list[tuple[MergedType | MergedField, str]] = [(type_, type_.name)]
    elements += [(field, f"{type_.name}.{field.name}") for field in type_.fields.values()]
    for element, coordinate in elements:
        if any(text.startswith(_RIGHTS) for text in element.applied):
            diagnostics.error(
                "AUTH_REQUIREMENTS_APPLIED_ON_INTERFACE",
                f"{coordinate}: put the right on every implementation instead of the interface",
                coordinate=coordinate,
            )


def _check_required_rights(supergraph: Supergraph, diagnostics: Diagnostics) -> None:
    """A field that requires a protected one shows what follows from it, so it needs the same right."""
    index = SubgraphIndex(supergraph)
    for type_ in supergraph.types.values():
        for field in type_.fields.values():
            for join in field.joins.values():
                if not join.requires or type_.kind != "object":
                    continue
                own = _rules(supergraph, type_.name, field.name)
                for required in index.field_set(join.requires, type_.name):
                    _check_rights(supergraph, f"{type_.name}.{field.name}", join.graph, own, required, diagnostics)


def _check_rights(
    supergraph: Supergraph,
    coordinate: str,
    graph: str,
    own: list[AuthorizationRule],
    required: SelectedField,
    diagnostics: Diagnostics,
) -> None:
    for type_name in sorted(required.on):
        needed = _rules(supergraph, type_name, required.name)
        if all(_implies(own, rule) for rule in needed):
            continue
        diagnostics.error(
            "MISSING_TRANSITIVE_AUTH_REQUIREMENTS",
            f"[{graph}] {coordinate} requires {type_name}.{required.name}, which is protected; protect it likewise",
            coordinate=coordinate,
            at=[(graph, None)],
        )
        return
    for child in required.fields:
        _check_rights(supergraph, coordinate, graph, own, child, diagnostics)


def _rules(supergraph: Supergraph, type_name: str, field: str) -> list[AuthorizationRule]:
    definition = supergraph.types[type_name].fields.get(field)
    coordinates = [f"{type_name}.{field}"]
    if definition is not None:
        coordinates.append(named_type(definition.type))
    return [supergraph.authorization[one] for one in coordinates if one in supergraph.authorization]


def _implies(own: list[AuthorizationRule], needed: AuthorizationRule) -> bool:
    if needed.authenticated and not any(rule.authenticated for rule in own):
        return False
    for part in ("scopes", "policies"):
        wanted = getattr(needed, part)
        if wanted and not any(
            getattr(rule, part) and all(any(set(w) <= set(group) for w in wanted) for group in getattr(rule, part))
            for rule in own
        ):
            return False
    return True
