"""Refuse variables that are larger or deeper than an honest client needs, before they are checked against types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.errors import RequestError
from gateway.policies.operation_limits import exceeded

__all__ = ["MAX_DEPTH", "VariableLimits"]

MAX_DEPTH = 100
"""Deepest nesting of lists and objects; checking a value recurses, some frames a level."""


@dataclass(frozen=True, slots=True)
class VariableLimits:
    """The most bytes that the variables of one request may have, written as JSON without white space."""

    max_bytes: int

    def check(self, variables: Mapping[str, Any]) -> None:
        """Accept variables.

        Raises:
            RequestError: LIMIT_EXCEEDED.
        """
        try:
            text = orjson.dumps(variables)
        except TypeError as error:  # orjson itself stops at a depth far above ours
            raise _too_deep() from error
        if len(text) > self.max_bytes:
            message = f"the variables have {len(text)} bytes; {self.max_bytes} are allowed"
            raise exceeded("max_variables_bytes", message, self.max_bytes)
        if text.count(b"{") + text.count(b"[") > MAX_DEPTH and _is_deep(variables):
            raise _too_deep()


def _is_deep(variables: Mapping[str, Any]) -> bool:
    level: list[Any] = [variables]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, Mapping) else value)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def _too_deep() -> RequestError:
    return exceeded("variables_depth", f"the variables are nested more than {MAX_DEPTH} levels deep", MAX_DEPTH)
