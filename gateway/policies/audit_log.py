"""A line of log for each refusal by rights: who wanted what, by which operation. Never a token, a header or a variable.

Strangers can be refused as often as they like to ask, so the lines of a second are bounded; how many were left out is
told with the next one. The metrics count every one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

import structlog

from gateway.server.request import Client, RequestContext

__all__ = ["AuditLog", "Outcome"]

MAX_LINES = 100
"""Lines in one second."""

MAX_COORDINATES = 20
"""Coordinates that one line names; how many more there were is told."""

Outcome = Literal["filtered", "rejected"]
"""Answered without what is closed, or not answered at all."""


class AuditLog:
    """The policy of one gateway; writes nothing unless ``is_on``."""

    def __init__(self, *, is_on: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._is_on = is_on
        self._clock = clock
        self._log = structlog.get_logger("gateway.audit")
        self._second = 0
        self._written = 0
        self._left_out = 0

    def unauthorized(
        self,
        outcome: Outcome,
        code: str,
        name: str | None,
        operation_hash: str,
        coordinates: Iterable[str],
        context: RequestContext,
    ) -> None:
        """Tell of an operation that asked for what is closed to its principal."""
        if not self._may_write():
            return
        found = sorted(coordinates)
        fields: dict[str, Any] = {"coordinates": found[:MAX_COORDINATES]}
        if len(found) > MAX_COORDINATES:
            fields["more_coordinates"] = len(found) - MAX_COORDINATES
        self._log.warning(
            "authorization_refused",
            outcome=outcome,
            code=code,
            subject=context.principal.subject,
            operation=name,
            operation_hash=operation_hash,
            **fields,
            **self._caller(context.client),
        )

    def unauthenticated(self, code: str, client: Client) -> None:
        """Tell of a caller whose credentials are missing or not valid."""
        if self._may_write():
            self._log.warning("authentication_refused", code=code, **self._caller(client))

    def _caller(self, client: Client) -> dict[str, Any]:
        found: dict[str, Any] = {"client": client.name, "address": client.address}
        if self._left_out:
            found["left_out_before"], self._left_out = self._left_out, 0
        return found

    def _may_write(self) -> bool:
        if not self._is_on:
            return False
        second = int(self._clock())
        if second != self._second:
            self._second, self._written = second, 0
        if self._written >= MAX_LINES:
            self._left_out += 1
            return False
        self._written += 1
        return True
