"""What every section of the settings is made of.

Durations are written as ``"500ms"``, ``"5s"``, ``"2m"`` or ``"1h"`` and held in seconds. Sizes are bytes.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

__all__ = ["Duration", "Section"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def _parse_duration(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)  # a default or a value that was parsed before
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or float(found[1]) == 0:
        raise ValueError('a duration such as "500ms", "5s", "2m" or "1h" is expected')
    return float(found[1]) * _UNITS[found[2]]


Duration = Annotated[
    float,
    BeforeValidator(_parse_duration),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h)$", "examples": ["5s"]}),
]


class Section(BaseModel):
    """Settings that cannot be changed, with every key known and described."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
