"""One line of log per operation: what was asked, by what program, how it ended and how long it took.

No variables, headers, texts or subjects: an operation is named by its name and the hash of its text, by which it can be
found among the documents of clients.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import structlog

from gateway.server.request import RequestContext

__all__ = ["RequestLog", "codes_of", "hash_of"]

MAX_CODES = 5
"""Different codes that one line names."""


def hash_of(text: str) -> str:
    """Return the hash by which logs name an operation."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def codes_of(errors: list[dict[str, Any]]) -> list[str]:
    """Return the different codes of errors, a few at most."""
    found = dict.fromkeys(str((error.get("extensions") or {}).get("code")) for error in errors)
    return list(found)[:MAX_CODES]


class RequestLog:
    """The policy of one gateway."""

    def __init__(self, mode: Literal["none", "failed", "all"]) -> None:
        self._mode = mode
        self._log = structlog.get_logger("gateway.request")
        self.wants_all = mode == "all"

    def write(
        self,
        kind: str,
        name: str | None,
        operation_hash: str,
        context: RequestContext,
        seconds: float,
        codes: list[str],
    ) -> None:
        """Write the line of an operation that ended, if lines of this kind are wanted."""
        if self._mode == "none" or (self._mode == "failed" and not codes):
            return
        fields: dict[str, Any] = {
            "kind": kind,
            "operation": name,
            "operation_hash": operation_hash,
            "client": context.client.name,
            "signed_in": context.principal.subject is not None,
            "duration_ms": round(seconds * 1000, 1),
        }
        if codes:
            self._log.warning("operation", codes=codes, **fields)
        else:
            self._log.info("operation", **fields)
