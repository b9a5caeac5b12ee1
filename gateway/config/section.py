"""What every section of the settings is made of.

Durations are written as ``"500ms"``, ``"5s"``, ``"2m"`` or ``"1h"`` and held in seconds. Sizes are bytes.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationInfo, WithJsonSchema

__all__ = ["WRITTEN", "Duration", "Section"]

WRITTEN = {"is_written": True}
"""Context of values that somebody has written, where durations must have their unit."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def _parse_duration(value: Any, info: ValidationInfo) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and value > 0 and not info.context:
        return float(value)  # code says seconds; in a file nobody could tell what a number counts
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or float(found[1]) == 0:
        raise ValueError('a duration with its unit is expected, such as "500ms", "5s", "2m" or "1h"')
    return float(found[1]) * _UNITS[found[2]]


def _write_duration(seconds: float) -> str:
    return f"{seconds:.9f}s"


Duration = Annotated[
    float,
    BeforeValidator(_parse_duration),
    PlainSerializer(_write_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h)$", "examples": ["5s"]}),
]


class Section(BaseModel):
    """Settings that cannot be changed, with every key known and described."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
