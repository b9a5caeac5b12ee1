"""Tickets: proof of a sign-on, good for a few minutes."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Mapping

__all__ = ["TICKET_S", "Tickets"]

TICKET_S = 300
"""Life of a ticket."""

MAX_TICKETS = 1_000
"""Tickets that are good at once; the oldest gives way."""


class Tickets:
    """The tickets of one façade."""

    def __init__(self) -> None:
        self._ends: dict[str, float] = {}

    def give(self, given: Mapping[str, object], known: Mapping[str, str]) -> str | None:
        """Return a new ticket for who knows user and password, None for anybody else."""
        for name, key in (("USER", "user"), ("PASWD", "password")):
            mine = known.get(key, "")
            if not mine or not hmac.compare_digest(str(given.get(name, "")).rstrip().encode(), mine.encode()):
                return None
        while len(self._ends) >= MAX_TICKETS:
            del self._ends[next(iter(self._ends))]
        made = secrets.token_hex(16).upper()
        self._ends[made] = time.monotonic() + TICKET_S
        return made

    def is_good(self, ticket: str) -> bool:
        """Return whether a ticket is known and has not ended."""
        return self._ends.get(ticket, 0) > time.monotonic()

    def end_all(self) -> None:
        """Make every ticket worthless, as an operator can."""
        self._ends.clear()
