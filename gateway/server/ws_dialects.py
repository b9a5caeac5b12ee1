"""The two protocols that clients speak over a WebSocket: the same conversation in different words.

- graphql-transport-ws: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
- graphql-ws, of the retired package subscriptions-transport-ws, which many clients still ship:
  https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

__all__ = ["DIALECTS", "Dialect", "choose_dialect"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words of one protocol.

    Attributes:
        name: the subprotocol.
        subscribe, stop, next: types of messages.
        leave: type with which a client says good-bye, None when it just closes.
        heartbeat: the sign of life that the server sends.
        has_ping: client and server may ask each other for a sign of life.
        beats_at_once: the first sign of life follows the acknowledgement, from which the client learns to expect more.
        replaces: an id that is in use again ends the earlier operation; else the connection is closed.
        refusal: type of the message before a connection is closed because of who asks, None when there is none.
    """

    name: str
    subscribe: str
    stop: str
    next: str
    leave: str | None
    heartbeat: str
    has_ping: bool
    beats_at_once: bool
    replaces: bool
    refusal: str | None

    def failure(self, identifier: str, errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the messages that end an operation with errors."""
        if self.has_ping:
            return [{"id": identifier, "type": "error", "payload": errors}]
        return [
            {"id": identifier, "type": self.next, "payload": {"errors": errors}},
            {"id": identifier, "type": "complete"},
        ]

    def head(self, identifier: str) -> bytes:
        """Return the text of a result's message up to the result."""
        return b'{"id":' + orjson.dumps(identifier) + b',"type":"' + self.next.encode() + b'","payload":'


DIALECTS = (
    Dialect(
        name="graphql-transport-ws",
        subscribe="subscribe",
        stop="complete",
        next="next",
        leave=None,
        heartbeat='{"type":"ping"}',
        has_ping=True,
        beats_at_once=False,
        replaces=False,
        refusal=None,
    ),
    Dialect(
        name="graphql-ws",
        subscribe="start",
        stop="stop",
        next="data",
        leave="connection_terminate",
        heartbeat='{"type":"ka"}',
        has_ping=False,
        beats_at_once=True,
        replaces=True,
        refusal="connection_error",
    ),
)


def choose_dialect(offered: Iterable[str]) -> Dialect | None:
    """Return the best protocol of those that a client offers, None when it offers none of ours."""
    names = set(offered)
    return next((dialect for dialect in DIALECTS if dialect.name in names), None)
