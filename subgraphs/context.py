"""What the resolvers of one request share: who asks, and a reader that batches what they want to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from schema.records.identity import Principal

__all__ = ["RequestContext"]

R = TypeVar("R")


class RequestContext(Generic[R]):
    """The context of one operation; ``info.context`` in resolvers.

    A reader keeps what it has read, which is right for one answer and wrong for the next event of a subscription: a
    subscription calls :meth:`renew` before every event that it yields.

    Attributes:
        until: monotonic time at which the caller of a query goes, None when it waits as long as it takes.
    """

    def __init__(self, principal: Principal, make_reader: Callable[[Principal], R], until: float | None = None) -> None:
        self.principal = principal
        self.until = until
        self._make_reader = make_reader
        self.reader = make_reader(principal)

    def renew(self) -> R:
        """Return a new reader, which is that of the context from now on."""
        self.reader = self._make_reader(self.principal)
        return self.reader
