"""What no ledger can keep is refused before anything is asked: text with the character U+0000.

PostgreSQL stores no such text, SQLite does; a process whose step fails for it would be stuck for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from graphql import DocumentNode, StringValueNode, Visitor, visit
from strawberry.extensions import SchemaExtension

from schema.graphql.errors import BadUserInput

__all__ = ["StorableTexts"]

_NUL = "\0"
_ESCAPED = "\\u0000"
"""How JSON and GraphQL write it; whoever means these six characters themselves is looked at twice."""


class StorableTexts(SchemaExtension):
    """Refuses operations whose variables or literals hold text that cannot be kept."""

    def on_execute(self) -> Iterator[None]:
        """Look through what the operation was given before it runs.

        Raises:
            BadUserInput: a text holds the character U+0000.
        """
        given = self.execution_context
        query, variables = given.query or "", given.variables
        if (_NUL in query or _ESCAPED in query) and given.graphql_document is not None:
            _Literals.check(given.graphql_document)
        if variables and _ESCAPED.encode() in orjson.dumps(variables, option=orjson.OPT_NON_STR_KEYS):
            _check(variables, "$")
        yield


class _Literals(Visitor):
    """Looks at every string of a document."""

    @classmethod
    def check(cls, document: DocumentNode) -> None:
        visit(document, cls())

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        _check(node.value, "a text of the operation")


def _check(value: Any, place: str) -> None:
    """Look through a value; what holds it is named as clients name it, such as ``$input.lines.0.sku``."""
    if isinstance(value, str):
        if _NUL in value:
            raise BadUserInput(f"{place} holds the character U+0000, which cannot be kept: leave it out")
    elif isinstance(value, dict):
        for name, entry in value.items():
            _check(entry, f"{place}{name}" if place == "$" else f"{place}.{name}")
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            _check(entry, f"{place}.{index}")
