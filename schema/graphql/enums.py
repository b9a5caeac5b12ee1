"""The enumerations of the graph: those of :mod:`schema.enums`, made known to strawberry.

Import this module before a type that uses one of them; annotate with the enumeration itself.
"""

from __future__ import annotations

import strawberry

from schema import enums

__all__ = ["ENUMS"]

ENUMS = tuple(
    strawberry.enum(getattr(enums, name), description=(getattr(enums, name).__doc__ or "").strip())
    for name in enums.__all__
)
"""Every enumeration."""
