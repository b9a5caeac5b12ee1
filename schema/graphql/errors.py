"""What a caller did wrong, as a GraphQL error that says what to do."""

from __future__ import annotations

from typing import Any

__all__ = ["BadUserInput", "Forbidden"]


class GraphError(Exception):
    """Root of errors whose message and code the caller may read."""

    code = "INTERNAL_ERROR"

    @property
    def extensions(self) -> dict[str, Any]:
        """What graphql-core puts beside the message."""
        return {"code": self.code}


class BadUserInput(GraphError):
    """An argument breaks a rule; the message names it and what is accepted."""

    code = "BAD_USER_INPUT"


class Forbidden(GraphError):
    """The caller has not the right; the message says which one is missing."""

    code = "FORBIDDEN"
