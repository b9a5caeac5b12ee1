"""What an extension may do."""

from __future__ import annotations

from gateway.extensions.facts import Answer, Fetch, Fetched, Plan, Request

__all__ = ["Extension"]


class Extension:
    """Subclass it and write the hooks that are needed; one that is not written is never called.

    ``request``, ``plan`` and ``fetch`` run in the order in which the extensions are listed, ``fetched`` and
    ``response`` in the reverse order. ``request``, ``plan`` and ``fetch`` may raise
    :class:`gateway.extensions.Refused`. One object serves all operations of a process, so what belongs to one of them
    goes into ``request.context``.
    """

    sees_callers = True
    """Whether ``fetch`` and ``fetched`` are told whose operation a request belongs to. What they do may then make an
    answer one caller's own, so answers of subgraphs are not cached, and streams not shared. False says that they do the
    same whoever asks: then they run once for all who share a request, and only where one is sent."""

    @property
    def name(self) -> str:
        """By which the log names it."""
        return type(self).__name__

    async def open(self) -> None:
        """Get ready; called once, before the first operation."""

    async def close(self) -> None:
        """Let go of what was opened; called once, after the last operation."""

    async def request(self, request: Request) -> None:
        """See an operation that is about to run: who asks is known, the document is checked, nothing is charged."""

    async def plan(self, request: Request, plan: Plan) -> None:
        """See how it will be answered: within all limits, and nothing is sent."""

    async def fetch(self, fetch: Fetch) -> None:
        """See one request to a subgraph that is about to leave, and change its headers."""

    def fetched(self, fetch: Fetch, outcome: Fetched) -> None:
        """See how a request that left has ended; nothing can be changed any more."""

    async def response(self, request: Request, answer: Answer) -> None:
        """See the answer of an operation that ran, or one event of a subscription, and add to it."""
