"""Contract variants: one graph, shown in part by ``@tag``.

An element with an excluded tag is hidden. With included tags, only elements that carry one of them (or whose type does)
stay. What hangs in the air then is hidden too, until nothing changes: fields of hidden types, types without visible
members, types that nothing visible refers to. Everything hidden stays in the supergraph as ``@inaccessible``, so that
keys and requirements go on working.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from gateway.composition.merge.merged import MergedField, MergedInput, MergedSchema, MergedType, MergedValue
from gateway.supergraph import named_type

__all__ = ["apply_contract"]

_HIDDEN = "@inaccessible"
Element = MergedType | MergedField | MergedInput | MergedValue


def apply_contract(schema: MergedSchema, include_tags: Sequence[str], exclude_tags: Sequence[str]) -> None:
    """Hide what a contract leaves out; nothing happens without tags."""
    if not include_tags and not exclude_tags:
        return
    schema.features.add("inaccessible")
    included, excluded = _texts(include_tags), _texts(exclude_tags)
    for type_ in schema.types.values():
        if schema.is_of_feature(type_.name):
            continue
        if excluded & set(type_.applied):
            _hide(type_)
        type_is_included = not included or bool(included & set(type_.applied))
        for member in _members(type_):
            left_out = type_.kind in {"object", "interface"} and not type_is_included
            if excluded & set(member.applied) or (left_out and not included & set(member.applied)):
                _hide(member)
            for argument in member.arguments.values() if isinstance(member, MergedField) else ():
                if excluded & set(argument.applied):
                    _hide(argument)
    while _hide_dangling(schema):
        pass


def _texts(tags: Iterable[str]) -> set[str]:
    return {f"@tag(name: {json.dumps(tag)})" for tag in tags}


def _members(type_: MergedType) -> list[MergedField | MergedInput | MergedValue]:
    return [*type_.fields.values(), *type_.inputs.values(), *type_.values.values()]


def _hide(element: Element) -> bool:
    if _HIDDEN in element.applied:
        return False
    element.applied.append(_HIDDEN)
    return True


def _is_hidden(element: Element) -> bool:
    return _HIDDEN in element.applied


def _hide_dangling(schema: MergedSchema) -> bool:
    changed = False
    hidden = {type_.name for type_ in schema.types.values() if _is_hidden(type_)}
    referenced = {"Query", "Mutation", "Subscription"}
    for directive in schema.directives.values():
        referenced.update(named_type(argument.type) for argument in directive.arguments.values())
    for type_ in schema.types.values():
        if type_.name in hidden:
            continue
        for member in _members(type_):
            if isinstance(member, MergedValue) or _is_hidden(member):
                continue
            if named_type(member.type) in hidden:
                changed |= _hide(member)
                continue
            referenced.add(named_type(member.type))
            for argument in member.arguments.values() if isinstance(member, MergedField) else ():
                if named_type(argument.type) in hidden:
                    changed |= _hide(argument)
                elif not _is_hidden(argument):
                    referenced.add(named_type(argument.type))
        referenced.update(type_.types)
        referenced.update(type_.interfaces)
    for type_ in schema.types.values():
        implements = any(name in referenced and name not in hidden for name in type_.interfaces)
        members = _members(type_)
        empty = bool(members) and all(_is_hidden(member) for member in members)
        empty |= bool(type_.types) and all(name in hidden for name in type_.types)
        if (
            type_.name != "Query"
            and type_.name not in hidden
            and not schema.is_of_feature(type_.name)
            and (empty or (type_.name not in referenced and not implements))
        ):
            changed |= _hide(type_)
    return changed
