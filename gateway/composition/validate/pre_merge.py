"""Rules that one subgraph must keep by itself, one function per rule."""

from __future__ import annotations

import re
from collections.abc import Callable

from graphql import print_ast
from graphql.language import FieldNode, Node, StringValueNode

from gateway.composition.codes import Fault
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.subgraph_set import Applied, Definition, Member, Subgraph
from gateway.composition.validate.cache_tags import check_cache_tags
from gateway.composition.validate.contexts import check_contexts
from gateway.composition.validate.field_sets import FieldSetFault, Selected, is_list, read_field_set, walk_field_set
from gateway.supergraph import named_type

__all__ = ["check_subgraph"]

_ON_EXTERNAL = ("tag", "inaccessible", "authenticated", "requiresScopes", "policy", "cost", "listSize")


def check_subgraph(subgraph: Subgraph, diagnostics: Diagnostics) -> None:
    """Report every rule that the subgraph breaks."""
    used: set[tuple[str, str]] = set()
    for rule in _RULES:
        rule(subgraph, diagnostics, used)


def _report(
    diagnostics: Diagnostics, subgraph: Subgraph, code: Fault, coordinate: str, message: str, node: Node | None
) -> None:
    diagnostics.error(
        code, f"[{subgraph.name}] {coordinate}: {message}", coordinate=coordinate, at=[(subgraph.name, node)]
    )


def keys_are_valid(subgraph: Subgraph, diagnostics: Diagnostics, used: set[tuple[str, str]]) -> None:
    """A key selects plain fields that exist: no arguments, directives, lists, interfaces or unions."""
    for definition in subgraph.definitions.values():
        for key in definition.all("key"):
            if definition.kind == "interface" and not subgraph.is_fed1 and (subgraph.version or (0, 0)) < (2, 3):
                _report(
                    diagnostics, subgraph, Fault.KEY_UNSUPPORTED_ON_INTERFACE, definition.name,
                    "a key on an interface needs federation v2.3", key.node,
                )  # fmt: skip
                continue
            selected = _read(subgraph, definition, key, "KEY", definition.name, diagnostics)
            for item in selected:
                used.add((item.owner.name, item.member.name))
                subgraph.key_fields.add((item.owner.name, item.member.name))
                coordinate = definition.name
                field = f"{item.owner.name}.{item.member.name}"
                if item.member.arguments:
                    message = f"key field {field} has arguments"
                    _report(diagnostics, subgraph, Fault.KEY_FIELDS_HAS_ARGS, coordinate, message, key.node)
                elif (target := _target(subgraph, item)) is not None and target.kind in {"interface", "union"}:
                    message = f"key field {field} returns the {target.kind} {target.name}"
                    _report(diagnostics, subgraph, Fault.KEY_FIELDS_SELECT_INVALID_TYPE, coordinate, message, key.node)


def _target(subgraph: Subgraph, item: Selected) -> Definition | None:
    return subgraph.definitions.get(named_type(item.member.type)) if item.member.type is not None else None


def _read(
    subgraph: Subgraph, definition: Definition, applied: Applied, prefix: str, coordinate: str, diagnostics: Diagnostics
) -> list[Selected]:
    values = [item.value for item in applied.node.arguments or () if item.name.value == "fields"]
    if not subgraph.is_fed1 and not all(isinstance(value, StringValueNode) for value in values):
        _report(
            diagnostics,
            subgraph,
            Fault(f"{prefix}_INVALID_FIELDS_TYPE"),
            coordinate,
            "fields must be a string",
            applied.node,
        )
        return []
    try:
        return list(walk_field_set(subgraph, definition, read_field_set(applied)))
    except FieldSetFault as fault:
        _report(diagnostics, subgraph, Fault(f"{prefix}_{fault.kind}"), coordinate, str(fault), applied.node)
        words = re.findall(r"\w+", str(applied.arguments.get("fields")))
        subgraph.broken_names.update(words)
        return []


def requirements_are_external(subgraph: Subgraph, diagnostics: Diagnostics, used: set[tuple[str, str]]) -> None:
    """What a field requires exists and is external somewhere on its way."""
    for definition, member in _fields(subgraph):
        applied = member.get("requires")
        if applied is None:
            continue
        coordinate = f"{definition.name}.{member.name}"
        if definition.kind == "interface":
            message = "@requires cannot be used on an interface field"
            _report(diagnostics, subgraph, Fault.REQUIRES_UNSUPPORTED_ON_INTERFACE, coordinate, message, applied.node)
            continue
        selected = _read(subgraph, definition, applied, "REQUIRES", coordinate, diagnostics)
        _check_externals(subgraph, selected, "REQUIRES", coordinate, applied, diagnostics, used)


def provisions_are_external(subgraph: Subgraph, diagnostics: Diagnostics, used: set[tuple[str, str]]) -> None:
    """What a field provides exists below it and is external there."""
    for definition, member in _fields(subgraph):
        applied = member.get("provides")
        if applied is None or member.type is None:
            continue
        coordinate = f"{definition.name}.{member.name}"
        if definition.kind == "interface":
            message = "@provides cannot be used on an interface field"
            _report(diagnostics, subgraph, Fault.PROVIDES_UNSUPPORTED_ON_INTERFACE, coordinate, message, applied.node)
            subgraph.broken_names.update(re.findall(r"\w+", str(applied.arguments.get("fields"))))
            continue
        target = subgraph.definitions.get(named_type(member.type))
        if target is None or target.kind not in {"object", "interface", "union"}:
            if not subgraph.is_fed1:
                message = "@provides needs a field of an object, interface or union type"
                _report(diagnostics, subgraph, Fault.PROVIDES_ON_NON_OBJECT_FIELD, coordinate, message, applied.node)
            continue
        selected = _read(subgraph, target, applied, "PROVIDES", coordinate, diagnostics)
        for item in selected:
            if item.node.arguments or item.member.arguments:
                message = f"{item.owner.name}.{item.member.name} has arguments"
                _report(diagnostics, subgraph, Fault.PROVIDES_FIELDS_HAS_ARGS, coordinate, message, applied.node)
        _check_externals(subgraph, selected, "PROVIDES", coordinate, applied, diagnostics, used)


def _check_externals(
    subgraph: Subgraph,
    selected: list[Selected],
    prefix: str,
    coordinate: str,
    applied: Applied,
    diagnostics: Diagnostics,
    used: set[tuple[str, str]],
) -> None:
    external_above: dict[int, bool] = {}
    for item in selected:
        used.add((item.owner.name, item.member.name))
        for definition in subgraph.definitions.values():
            if item.owner.name in definition.interfaces:
                used.add((definition.name, item.member.name))
        own = _is_marked_external(subgraph, item)
        covered = own or (item.depth > 0 and external_above.get(item.depth - 1, False))
        external_above[item.depth] = covered
        if item.is_leaf and not covered and not subgraph.is_fed1:
            message = f"{item.owner.name}.{item.member.name} must be @external"
            code = Fault(f"{prefix}_FIELDS_MISSING_EXTERNAL")
            _report(diagnostics, subgraph, code, coordinate, message, applied.node)


def _is_marked_external(subgraph: Subgraph, item: Selected) -> bool:
    if item.member.has("external") or item.owner.has("external"):
        return True
    return item.owner.kind == "interface" and any(
        (found := other.members.get(item.member.name)) is not None and (found.has("external") or other.has("external"))
        for other in subgraph.implementations(item.owner.name)
    )


def externals_are_used(subgraph: Subgraph, diagnostics: Diagnostics, used: set[tuple[str, str]]) -> None:
    """An external field serves a key, a requirement, a provision or an interface; else it says nothing.

    Federation 1 tolerates such fields; they are left out.
    """
    unused: list[tuple[Definition, Member]] = []
    for definition, member in _fields(subgraph):
        if not member.has("external"):
            continue
        coordinate = f"{definition.name}.{member.name}"
        if definition.kind == "interface":
            if not subgraph.is_fed1:
                message = "an interface field cannot be @external"
                _report(diagnostics, subgraph, Fault.EXTERNAL_ON_INTERFACE, coordinate, message, member.node)
            continue
        for directive in _ON_EXTERNAL:
            if member.has(directive):
                message = f"@{directive} has no effect on an @external field; put it where the field is resolved"
                code = Fault.MERGED_DIRECTIVE_APPLICATION_ON_EXTERNAL
                _report(diagnostics, subgraph, code, coordinate, message, member.node)
        if member.has("provides"):
            message = "@external cannot stand beside @provides"
            _report(
                diagnostics, subgraph, Fault.EXTERNAL_COLLISION_WITH_ANOTHER_DIRECTIVE, coordinate, message, member.node
            )
        implements = any(
            name in subgraph.definitions and member.name in subgraph.definitions[name].members
            for name in definition.interfaces
        )
        used_here = (definition.name, member.name) in used or member.name in subgraph.broken_names
        if implements or used_here:
            continue
        if subgraph.is_fed1:
            unused.append((definition, member))
            continue
        message = "the field is @external but no key, @requires or @provides uses it"
        _report(diagnostics, subgraph, Fault.EXTERNAL_UNUSED, coordinate, message, member.node)
    for definition, member in unused:
        del definition.members[member.name]
    for name in dict.fromkeys(definition.name for definition, _ in unused):
        _drop_empty(subgraph, subgraph.definitions[name], diagnostics)


def _drop_empty(subgraph: Subgraph, definition: Definition, diagnostics: Diagnostics) -> None:
    if definition.members:
        return
    referenced = {named_type(member.type) for _, member in _fields(subgraph) if member.type is not None}
    referenced.update(name for other in subgraph.definitions.values() for name in other.types)
    if definition.name not in referenced:
        del subgraph.definitions[definition.name]
        return
    message = "the type is used but has only @external fields that nothing uses"
    _report(diagnostics, subgraph, Fault.TYPE_WITH_ONLY_UNUSED_EXTERNAL, definition.name, message, definition.node)


def shareable_is_for_objects(subgraph: Subgraph, diagnostics: Diagnostics, _used: set[tuple[str, str]]) -> None:
    """Only fields of object types are resolved and can be shared, and saying so once is enough."""
    for definition in subgraph.definitions.values():
        for node in definition.nodes:
            local = [one.name.value for one in node.directives or ()]
            if sum(subgraph.names.get(name) == "shareable" for name in local) > 1:
                message = "@shareable is applied twice"
                _report(diagnostics, subgraph, Fault.INVALID_SHAREABLE_USAGE, definition.name, message, node)
    for definition, member in _fields(subgraph):
        if sum(one.is_federation and one.name == "shareable" for one in member.directives) > 1:
            coordinate = f"{definition.name}.{member.name}"
            message = "@shareable is applied twice"
            _report(diagnostics, subgraph, Fault.INVALID_SHAREABLE_USAGE, coordinate, message, member.node)
        if definition.kind == "interface" and member.has("shareable"):
            coordinate = f"{definition.name}.{member.name}"
            message = "@shareable cannot be used on an interface field"
            _report(diagnostics, subgraph, Fault.INVALID_SHAREABLE_USAGE, coordinate, message, member.node)


def interface_objects_have_keys(subgraph: Subgraph, diagnostics: Diagnostics, _used: set[tuple[str, str]]) -> None:
    """An interface object is entered by a key, so it needs one; its implementations stay unknown to the subgraph."""
    for definition in subgraph.definitions.values():
        if definition.has("interfaceObject") and not definition.has("key"):
            message = "an @interfaceObject needs a @key"
            _report(
                diagnostics, subgraph, Fault.INTERFACE_OBJECT_USAGE_ERROR, definition.name, message, definition.node
            )


def interface_keys_are_on_implementations(
    subgraph: Subgraph, diagnostics: Diagnostics, _used: set[tuple[str, str]]
) -> None:
    """Every implementation of an interface with a key has that key too, and resolves it when the interface does."""
    for definition in subgraph.definitions.values():
        if definition.kind != "interface" or subgraph.is_fed1:
            continue
        for key in definition.all("key"):
            wanted = _canonical(key)
            is_resolvable = key.arguments.get("resolvable") is not False
            for implementation in subgraph.implementations(definition.name):
                same = [one for one in implementation.all("key") if _canonical(one) == wanted]
                message = None
                if not same:
                    message = f"{implementation.name} lacks the key {wanted!r} of its interface"
                elif is_resolvable and all(one.arguments.get("resolvable") is False for one in same):
                    message = f"{implementation.name} does not resolve the key {wanted!r}, which its interface resolves"
                if message is not None:
                    code = Fault.INTERFACE_KEY_NOT_ON_IMPLEMENTATION
                    _report(diagnostics, subgraph, code, definition.name, message, key.node)


def _canonical(key: Applied) -> str:
    def write(selection: object) -> str:
        names = [
            node.name.value + (f"{{{write(node.selection_set)}}}" if node.selection_set else "")
            for node in getattr(selection, "selections", ())
            if isinstance(node, FieldNode)
        ]
        return " ".join(sorted(names))

    try:
        return write(read_field_set(key))
    except FieldSetFault:
        return str(key.arguments.get("fields"))


def list_sizes_fit(subgraph: Subgraph, diagnostics: Diagnostics, _used: set[tuple[str, str]]) -> None:
    """``@listSize`` speaks of a list: its own or those of its sized fields, sliced by integer arguments."""
    for definition, member in _fields(subgraph):
        applied = member.get("listSize")
        if applied is None or member.type is None:
            continue
        coordinate = f"{definition.name}.{member.name}"
        sized = applied.arguments.get("sizedFields")
        if not is_list(member.type) and not sized:
            message = "@listSize is on a field that is no list and names no sized fields"
            _report(diagnostics, subgraph, Fault.LIST_SIZE_APPLIED_TO_NON_LIST, coordinate, message, applied.node)
        assumed = applied.arguments.get("assumedSize")
        if assumed is not None and int(assumed) < 0:
            message = f"assumedSize {assumed} is negative"
            _report(diagnostics, subgraph, Fault.LIST_SIZE_INVALID_ASSUMED_SIZE, coordinate, message, applied.node)
        for name in applied.arguments.get("slicingArguments") or ():
            argument = member.arguments.get(name)
            if argument is None or argument.type is None or print_ast(argument.type).rstrip("!") != "Int":
                message = f"slicing argument {name} is not an Int argument of the field"
                _report(
                    diagnostics, subgraph, Fault.LIST_SIZE_INVALID_SLICING_ARGUMENT, coordinate, message, applied.node
                )
        target = subgraph.definitions.get(named_type(member.type))
        for name in sized or ():
            found = target.members.get(name) if target else None
            if found is None or found.type is None or not is_list(found.type):
                message = f"sized field {name} is not a list field of {named_type(member.type)}"
                _report(diagnostics, subgraph, Fault.LIST_SIZE_INVALID_SIZED_FIELD, coordinate, message, applied.node)


def costs_are_on_objects(subgraph: Subgraph, diagnostics: Diagnostics, _used: set[tuple[str, str]]) -> None:
    """What a field costs depends on who resolves it, so an interface field cannot say."""
    for definition, member in _fields(subgraph):
        if definition.kind == "interface" and member.has("cost"):
            coordinate = f"{definition.name}.{member.name}"
            message = "@cost cannot be used on an interface field; put it on the implementations"
            _report(diagnostics, subgraph, Fault.COST_APPLIED_TO_INTERFACE_FIELD, coordinate, message, member.node)


def root_names_are_free(subgraph: Subgraph, diagnostics: Diagnostics, _used: set[tuple[str, str]]) -> None:
    """A type may be called like a default root type only when it is the root type."""
    for kind, code in (
        ("query", Fault.ROOT_QUERY_USED),
        ("mutation", Fault.ROOT_MUTATION_USED),
        ("subscription", Fault.ROOT_SUBSCRIPTION_USED),
    ):
        if subgraph.shadowed_roots.get(kind):
            name = kind.capitalize()
            message = f"the type is not the {kind} root type here; give it another name"
            _report(diagnostics, subgraph, code, name, message, subgraph.shadowed_roots[kind])


def _fields(subgraph: Subgraph) -> list[tuple[Definition, Member]]:
    return [
        (definition, member)
        for definition in subgraph.definitions.values()
        if definition.kind in {"object", "interface"}
        for member in definition.members.values()
    ]


_RULES: tuple[Callable[[Subgraph, Diagnostics, set[tuple[str, str]]], None], ...] = (
    root_names_are_free,
    keys_are_valid,
    requirements_are_external,
    provisions_are_external,
    externals_are_used,
    shareable_is_for_objects,
    list_sizes_fit,
    costs_are_on_objects,
    check_contexts,
    check_cache_tags,
    interface_objects_have_keys,
    interface_keys_are_on_implementations,
)
