"""Which headers each subgraph gets, compiled at start.

The endpoints capture every header of the client that any rule reads. Before a request leaves, its subgraph's rules pick
from these: for all subgraphs first, then its own; what is removed by either stays out. Headers of the gateway itself,
such as the signed claims, are read by no rule and pass.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from functools import lru_cache

from gateway.config import HeaderSettings, SubgraphHeaderSettings
from gateway.transport.base import SubgraphRequest, SubgraphResponse, SubgraphTransport

__all__ = ["HeaderRules"]

MAX_REMEMBERED = 256
"""Distinct sets of headers whose outcome is remembered per subgraph; fetches of one request have the same."""

_Headers = tuple[tuple[str, str], ...]
_NO_RULES = SubgraphHeaderSettings()


class HeaderRules:
    """The rules of one gateway.

    Attributes:
        captured: lower-case names of the client's headers that rules read.
    """

    def __init__(self, settings: HeaderSettings) -> None:
        self._all = settings
        self._own = settings.subgraphs
        parts = (settings, *settings.subgraphs.values())
        self.captured = tuple(dict.fromkeys(name for part in parts for name in part.sources()))

    def wrap(self, subgraph: str, transport: SubgraphTransport) -> SubgraphTransport:
        """Return a transport that applies a subgraph's rules; the same when everything captured passes as it is."""
        own = self._own.get(subgraph, _NO_RULES)
        rules = _SubgraphRules((self._all, own), self.captured)
        return transport if rules.is_identity else _RuledTransport(transport, rules)


class _SubgraphRules:
    def __init__(self, parts: Iterable[SubgraphHeaderSettings], captured: tuple[str, ...]) -> None:
        parts = tuple(parts)
        removed = {name for part in parts for name in part.remove}
        self._sent: dict[str, list[str]] = {name: [] for name in captured}
        inserted: dict[str, str] = {}
        for part in parts:
            for name in part.propagate:
                self._sent[name].append(name)
            for name, target in part.rename.items():
                self._sent[name].append(target)
            inserted |= part.insert
        self._inserted = tuple((name, value) for name, value in inserted.items() if name not in removed)
        for name, targets in self._sent.items():
            kept = [target for target in dict.fromkeys(targets) if target not in inserted and target not in removed]
            self._sent[name] = kept
        self.is_identity = not self._inserted and all(targets == [name] for name, targets in self._sent.items())
        self.apply = lru_cache(maxsize=MAX_REMEMBERED)(self._apply)

    def _apply(self, headers: _Headers) -> _Headers:
        found = [(target, value) for name, value in headers for target in self._sent.get(name, (name,))]
        return (*found, *self._inserted)


class _RuledTransport:
    def __init__(self, inner: SubgraphTransport, rules: _SubgraphRules) -> None:
        self._inner = inner
        self._rules = rules

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        return await self._inner.send(replace(request, headers=self._rules.apply(request.headers)))

    def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        return self._inner.subscribe(replace(request, headers=self._rules.apply(request.headers)))

    async def aclose(self) -> None:
        await self._inner.aclose()
