"""strawberry's decorator for fields that federation knows something about, with the type that it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import strawberry.federation

__all__ = ["federated_field"]

F = TypeVar("F", bound=Callable[..., Any])


def federated_field(
    *,
    requires: Sequence[str] = (),
    provides: Sequence[str] = (),
    requires_scopes: Sequence[Sequence[str]] = (),
    directives: Sequence[object] = (),
) -> Callable[[F], F]:
    """Return the decorator of a resolver method.

    Args:
        requires: fields of other subgraphs that the resolver looks at.
        provides: fields of other subgraphs that the value brings along.
        requires_scopes: rights that a caller needs, any of the inner lists whole.
        directives: further directives of the field.
    """
    return cast(
        "Callable[[F], F]",
        strawberry.federation.field(
            requires=requires, provides=provides, requires_scopes=requires_scopes, directives=directives
        ),
    )
