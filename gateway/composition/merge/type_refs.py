"""Merge type references: output types widen, input types narrow."""

from __future__ import annotations

from collections.abc import Callable

from graphql import print_ast
from graphql.language import ListTypeNode, NamedTypeNode, NonNullTypeNode, TypeNode

__all__ = ["is_output_subtype", "narrowest", "widest"]

IsSubtype = Callable[[str, str], bool]


def is_output_subtype(sub: TypeNode, super_: TypeNode, is_subtype: IsSubtype) -> bool:
    """Tell whether every value of ``sub`` is one of ``super_``, at every list depth."""
    if isinstance(sub, NonNullTypeNode):
        inner = super_.type if isinstance(super_, NonNullTypeNode) else super_
        return is_output_subtype(sub.type, inner, is_subtype)
    if isinstance(super_, NonNullTypeNode):
        return False
    if isinstance(sub, ListTypeNode) or isinstance(super_, ListTypeNode):
        return (
            isinstance(sub, ListTypeNode)
            and isinstance(super_, ListTypeNode)
            and is_output_subtype(sub.type, super_.type, is_subtype)
        )
    assert isinstance(sub, NamedTypeNode)  # noqa: S101 - the wrappers are gone
    assert isinstance(super_, NamedTypeNode)  # noqa: S101 - the wrappers are gone
    return sub.name.value == super_.name.value or is_subtype(sub.name.value, super_.name.value)


def widest(types: list[TypeNode], is_subtype: IsSubtype) -> TypeNode | None:
    """Return the type of which all others are subtypes, None when there is none."""
    return next((one for one in types if all(is_output_subtype(other, one, is_subtype) for other in types)), None)


def narrowest(types: list[TypeNode]) -> TypeNode | None:
    """Return the type that is a subtype of all others by nullability alone, None when there is none."""

    def same(sub: str, super_: str) -> bool:
        return sub == super_

    return next((one for one in types if all(is_output_subtype(one, other, same) for other in types)), None)


def print_type(type_: TypeNode) -> str:
    """Return a type reference as text."""
    return print_ast(type_)
