"""What to make of an HTTP status: one table for all vendors, with a place for each vendor's own entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Action", "Outcome", "outcome_for"]


class Action(StrEnum):
    """What the client does next."""

    ACCEPT = "ACCEPT"
    RETRY = "RETRY"
    FAIL = "FAIL"
    REAUTH = "REAUTH"
    RATE_LIMITED = "RATE_LIMITED"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    REJECT = "REJECT"


@dataclass(frozen=True, slots=True)
class Outcome:
    """An action with what it means for an operator.

    ``retry_after_s`` is how long a limit lasts when the answer does not say.
    """

    action: Action
    message: str
    retry_after_s: float | None = None


_BY_STATUS: Mapping[int, Outcome] = {
    400: Outcome(Action.REJECT, "the request is refused"),
    401: Outcome(Action.REAUTH, "the credentials are refused"),
    403: Outcome(Action.FAIL, "our user may not do this"),
    404: Outcome(Action.NOT_FOUND, "the record does not exist"),
    408: Outcome(Action.RETRY, "the system gave up waiting"),
    409: Outcome(Action.CONFLICT, "the record is in another state"),
    412: Outcome(Action.CONFLICT, "the record has changed since it was read"),
    413: Outcome(Action.FAIL, "the request is too large"),
    422: Outcome(Action.REJECT, "the request is refused"),
    423: Outcome(Action.CONFLICT, "the record is locked"),
    425: Outcome(Action.RETRY, "the system is not ready"),
    429: Outcome(Action.RATE_LIMITED, "too many requests"),
    502: Outcome(Action.RETRY, "a proxy got no answer"),
    503: Outcome(Action.RETRY, "the system is not available"),
    504: Outcome(Action.RETRY, "a proxy waited too long"),
}


def outcome_for(status: int, own: Mapping[int, Outcome] | None = None) -> Outcome:
    """Return what a status means; ``own`` entries of the vendor win over the common table."""
    if own and status in own:
        return own[status]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 200 <= status < 300:
        return Outcome(Action.ACCEPT, "done")
    if status >= 500:
        return Outcome(Action.RETRY, "the system failed")
    return Outcome(Action.FAIL, "the answer breaks the protocol")
