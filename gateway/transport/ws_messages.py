"""The client's side of graphql-transport-ws, without a socket: messages in, messages out.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import orjson

from gateway.transport.base import SubgraphRequest

__all__ = ["StreamFault", "WsConversation"]

_Send = Callable[[str], Awaitable[None]]
_Receive = Callable[[], Awaitable[str | bytes]]
_ID = "1"


class StreamFault(Exception):
    """The subgraph broke off or broke the protocol; the text says how."""


class WsConversation:
    """One subscription on one socket."""

    def __init__(self, send: _Send, request: SubgraphRequest) -> None:
        self._send = send
        self._request = request
        self._is_over = False

    async def start(self, receive: _Receive) -> None:
        """Shake hands and subscribe.

        Raises:
            StreamFault: the subgraph did not acknowledge.
        """
        payload = {name: value for name, value in self._request.headers if name == "authorization"}
        init: dict[str, Any] = {"type": "connection_init"}
        if payload:
            init["payload"] = payload
        await self._send(orjson.dumps(init).decode())
        while True:
            message = _parse(await receive())
            if message["type"] == "connection_ack":
                break
            if message["type"] == "ping":
                await self._send('{"type":"pong"}')
            elif message["type"] != "pong":
                raise StreamFault(f"{message['type']!r} came before the acknowledgement")
        start = b'{"id":"' + _ID.encode() + b'","type":"subscribe","payload":' + self._request.body + b"}"
        await self._send(start.decode())

    async def events(self, receive: _Receive) -> AsyncGenerator[bytes, None]:
        """Yield the JSON text of each result until the subgraph completes.

        Raises:
            StreamFault: a message is not of the protocol.
        """
        try:
            while True:
                message = _parse(await receive())
                match message["type"]:
                    case "next":
                        yield orjson.dumps(message.get("payload"))
                    case "error":
                        self._is_over = True
                        errors = message.get("payload")
                        yield orjson.dumps({"errors": errors if isinstance(errors, list) else [errors]})
                        return
                    case "complete":
                        self._is_over = True
                        return
                    case "ping":
                        await self._send('{"type":"pong"}')
                    case "pong":
                        pass
                    case other:
                        raise StreamFault(f"{other!r} is no message of the protocol")
        finally:
            await self._complete()

    async def _complete(self) -> None:
        """Tell the subgraph that nobody listens any more; a closed socket has told it already."""
        if not self._is_over:
            self._is_over = True
            try:
                await self._send(f'{{"id":"{_ID}","type":"complete"}}')
            except Exception:  # noqa: BLE001 - the socket may be gone in as many ways as there are sockets
                return


def _parse(text: str | bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise StreamFault("a message is not JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise StreamFault("a message has no type")
    return message
