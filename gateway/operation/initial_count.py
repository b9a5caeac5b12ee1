"""A rule of ``@stream`` that GraphQL's own leave to the execution: no list begins with a negative number of items."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError, ValidationRule
from graphql.language import DirectiveNode, IntValueNode, NullValueNode

__all__ = ["InitialCountRule"]


class InitialCountRule(ValidationRule):
    """Refuse an ``initialCount`` that is negative or null; one that a variable gives is checked with its value."""

    def enter_directive(self, node: DirectiveNode, *_args: Any) -> None:
        """Check the argument of one directive."""
        if node.name.value != "stream":
            return
        for argument in node.arguments or ():
            value = argument.value
            is_negative = isinstance(value, IntValueNode) and int(value.value) < 0
            if argument.name.value == "initialCount" and (is_negative or isinstance(value, NullValueNode)):
                self.report_error(GraphQLError("@stream: initialCount must be 0 or more.", argument))
