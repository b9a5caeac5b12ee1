"""What one execution brings along besides its plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.errors import ErrorCode, SubgraphError
from gateway.executor.caching import FetchCache
from gateway.transport.base import SubgraphTransport

__all__ = ["Audience", "ExecutionContext"]


@dataclass(frozen=True, slots=True)
class Audience:
    """Those who may share a stream.

    Attributes:
        who: what its members have in common besides the request.
        headers: sent for the stream in place of the operation's, None when these are right.
    """

    who: Hashable
    headers: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """The surroundings of one execution.

    Attributes:
        transports: one per subgraph that the plan names.
        variables: the client's variables as validated JSON; what the client left out is absent.
        defaults: values of left-out variables that have a default; they decide guards and are not sent.
        headers: lower-case names with values, sent with every fetch.
        renew_headers: makes the headers anew for each event of a subscription, which outlives what they prove.
        timeout_s: seconds that all fetches of the operation or event may take together, None for no such bound.
        deadline: monotonic time at which these are over.
        has_keys: all that the mutation changes has a key, so that its fetches may be sent again.
        audience: with whom its stream is shared, None for nobody.
        cache: stands between fetches and subgraphs, None when nothing is kept.
        caller: whose execution it is, passed on with every request to a subgraph; None where nobody wants to know.
    """

    transports: Mapping[str, SubgraphTransport]
    variables: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()
    renew_headers: Callable[[], tuple[tuple[str, str], ...]] | None = None
    timeout_s: float | None = None
    deadline: float | None = None
    has_keys: bool = False
    audience: Audience | None = None
    cache: FetchCache | None = None
    caller: object | None = None

    def flag(self, variable: str) -> bool:
        """Return the value of a Boolean variable, its default when it was left out."""
        found = self.variables.get(variable, self.defaults.get(variable))
        return found is True

    def for_event(self) -> ExecutionContext:
        """Return the surroundings of an event that arrives now."""
        headers = self.headers if self.renew_headers is None else self.renew_headers()
        deadline = None if self.timeout_s is None else time.monotonic() + self.timeout_s
        return replace(self, headers=headers, deadline=deadline)

    def left_s(self, subgraph: str) -> float | None:
        """Return the seconds that a fetch may still take, None for the transport's own limit.

        Raises:
            SubgraphError: SUBGRAPH_TIMEOUT, none are left.
        """
        if self.deadline is None:
            return None
        left = self.deadline - time.monotonic()
        if left <= 0:
            message = (
                f"subgraph {subgraph} was not asked: the time for the whole operation, {self.timeout_s:g} s, is over"
            )
            raise SubgraphError(ErrorCode.SUBGRAPH_TIMEOUT, message, subgraph=subgraph)
        return left

    def transport(self, subgraph: str) -> SubgraphTransport:
        """Return the way to a subgraph.

        Raises:
            SubgraphError: SUBGRAPH_UNAVAILABLE, nobody configured one.
        """
        found = self.transports.get(subgraph)
        if found is None:
            message = f"subgraph {subgraph} has no transport; give it a url in the supergraph or the settings"
            raise SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=subgraph, retryable=False)
        return found
