"""Answer ``__schema`` and ``__type`` from the API schema.

Introspection changes with the schema only, so answers without variables are kept with the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLSchema, execute_sync, parse

__all__ = ["Introspection"]


class Introspection:
    """The introspection part of one operation."""

    def __init__(self, schema: GraphQLSchema, text: str) -> None:
        self._schema = schema
        self._document = parse(text)
        self._has_variables = "$" in text
        self._answer: tuple[dict[str, Any] | None, list[dict[str, Any]]] | None = None

    def answer(self, variables: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """Return data and errors; the data may be shared and must not be changed."""
        if self._answer is not None:
            return self._answer
        result = execute_sync(self._schema, self._document, variable_values=dict(variables))
        answer = (result.data, [dict(error.formatted) for error in result.errors or ()])
        if not self._has_variables:
            self._answer = answer
        return answer
