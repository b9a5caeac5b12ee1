"""Who is signed in, and how many calls of the day are left."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import date

from sandbox.crm.refusal import CrmRefusal

__all__ = ["DAY_CALLS", "SESSION_S", "CallLimit", "Sessions"]

SESSION_S = 7_200.0
"""A session ends when it was not used for so long."""

DAY_CALLS = 1_000_000
"""Calls of one day."""

MAX_SESSIONS = 1_000
"""Sessions at a time; the one that was used least lately ends first."""


class Sessions:
    """Tokens of the OAuth2 client-credentials flow.

    Args:
        credentials: ``client_id`` and ``client_secret`` of the one client.
        length_s: how long a session lasts without use.
        monotonic: seconds of real time; a fast simulated clock ends no sessions.
    """

    def __init__(self, credentials: Mapping[str, str], length_s: float, monotonic: Callable[[], float]) -> None:
        self._credentials = credentials
        self._length_s = length_s
        self._monotonic = monotonic
        self._ends: OrderedDict[str, float] = OrderedDict()

    def sign_in(self, form: Mapping[str, str]) -> str | None:
        """Return a token, None when the client is not known."""
        fits = [
            hmac.compare_digest(form.get(name, "").encode(), self._credentials.get(name, "").encode())
            for name in ("client_id", "client_secret")
        ]
        if not all(fits) or not form.get("client_secret"):
            return None
        token = f"00D!{secrets.token_urlsafe(32)}"
        self._use(token)
        if len(self._ends) > MAX_SESSIONS:
            self._ends.popitem(last=False)
        return token

    def check(self, header: str) -> None:
        """Let a call pass that carries a token of a living session.

        Raises:
            CrmRefusal: it does not.
        """
        token = header.removeprefix("Bearer ")
        if self._ends.get(token, 0.0) <= self._monotonic():
            self._ends.pop(token, None)
            raise CrmRefusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
        self._use(token)

    def revoke(self, token: str) -> bool:
        """End a session; return whether there was one."""
        return self._ends.pop(token, None) is not None

    def _use(self, token: str) -> None:
        self._ends[token] = self._monotonic() + self._length_s
        self._ends.move_to_end(token)


class CallLimit:
    """Counts the calls of a day."""

    def __init__(self, of_day: int, today: Callable[[], date]) -> None:
        self.of_day = of_day
        self._today = today
        self._day = today()
        self._used = 0

    @property
    def used(self) -> int:
        """Calls of today."""
        if self._day != self._today():
            self._day, self._used = self._today(), 0
        return self._used

    def take(self) -> None:
        """Count a call.

        Raises:
            CrmRefusal: none is left today; it is not counted.
        """
        if self.used >= self.of_day:
            raise CrmRefusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self._used += 1
