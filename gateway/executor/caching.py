"""What the executor wants of a cache of subgraphs' answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from gateway.executor.answer import Answer
from gateway.plan.nodes import FetchId
from gateway.transport.base import SubgraphResponse

__all__ = ["CachedAnswer", "FetchCache", "SendFetch"]

SendFetch = Callable[[Mapping[str, Any], bool, str | None], Awaitable[SubgraphResponse]]
"""Sends a fetch with the variables given, and returns the answer whatever it is. With True it joins no request that is
under way, since that may have begun before something changed. The last is what was found before, for the trace."""

CachedAnswer = tuple[Answer, bytes | None]
"""Data and errors, and the text that they were read from where it is the whole answer to what was asked."""


class FetchCache(Protocol):
    """Stands between one operation's fetches and their subgraphs."""

    def covers(self, fetch: FetchId) -> bool:
        """Tell whether a fetch must be made through the cache."""
        ...

    async def fetch(
        self, fetch: FetchId, variables: dict[str, Any], asked: Mapping[str, list[dict[str, Any]]], send: SendFetch
    ) -> CachedAnswer:
        """Return the answer to a fetch, of what is kept and what ``send`` brings.

        Args:
            variables: the client's variables that the fetch uses.
            asked: representations of each entity call, by the name of its variable.
            fetch: its number in the plan.
            send: asks the subgraph.

        Raises:
            SubgraphError: something was missing, and the subgraph did not give it.
        """
        ...
