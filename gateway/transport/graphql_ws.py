"""Subscriptions from a subgraph by the graphql-transport-ws protocol, one WebSocket per subscription.

One socket each keeps a slow stream from holding up others: the protocol has no flow control of its own inside a socket.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from gateway.errors import ErrorCode, StreamBroken, SubgraphError
from gateway.transport.base import SubgraphRequest, SubgraphResponse
from gateway.transport.limits import TransportLimits
from gateway.transport.tls import SubgraphTlsContext
from gateway.transport.ws_messages import StreamFault, WsConversation

__all__ = ["GraphqlWsTransport", "websocket_url"]


def websocket_url(url: str) -> str:
    """Return the WebSocket address of an HTTP address."""
    return "ws" + url.removeprefix("http") if url.startswith("http") else url


class GraphqlWsTransport:
    """Opens one connection per subscription; the propagated headers travel in the handshake."""

    def __init__(self, subgraph: str, url: str, limits: TransportLimits, tls: SubgraphTlsContext | None = None) -> None:
        self._subgraph = subgraph
        self._url = websocket_url(url)
        self._limits = limits
        self._tls = tls if self._url.startswith("wss:") else None
        self._open: set[ClientConnection] = set()

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """Run one operation over a socket of its own and answer with its first result."""
        stream = self.subscribe(request)
        try:
            async for body in stream:
                return SubgraphResponse(200, "application/json", body)
        finally:
            await stream.aclose()
        raise self._fault(StreamFault("the stream ended without an answer"))

    async def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """See :class:`gateway.transport.base.SubgraphTransport`."""
        socket: ClientConnection | None = None
        has_begun = False
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                socket = await self._connect(request)
            self._open.add(socket)
            conversation = WsConversation(socket.send, request)
            async with asyncio.timeout(self._limits.connect_timeout_s):
                await conversation.start(socket.recv)
            has_begun = True
            async for event in conversation.events(socket.recv):
                yield event
        except ConnectionClosed as error:
            reason = f"the subgraph closed the connection ({error.rcvd.code})" if error.rcvd else "the connection broke"
            raise self._fault(StreamFault(reason), has_begun=has_begun) from error
        except ssl.SSLCertVerificationError as error:
            raise self._fault(StreamFault(f"its certificate is not accepted: {error.verify_message}")) from error
        except (TimeoutError, OSError, WebSocketException) as error:
            raise self._fault(StreamFault("no connection could be made")) from error
        except StreamFault as fault:
            raise self._fault(fault, has_begun=has_begun) from fault
        finally:
            if socket is not None:
                self._open.discard(socket)
                await socket.close()

    async def _connect(self, request: SubgraphRequest) -> ClientConnection:
        tls = self._tls
        return await connect(
            self._url,
            ssl=None if tls is None else tls.context,
            server_hostname=None if tls is None else tls.server_name,
            subprotocols=[Subprotocol("graphql-transport-ws")],
            additional_headers=list(request.headers),
            max_size=self._limits.max_body_bytes,
            max_queue=self._limits.max_waiting_events,
            proxy=None,
        )

    def _fault(self, fault: StreamFault, *, has_begun: bool = False) -> SubgraphError:
        message = f"the subscription at subgraph {self._subgraph} failed: {fault}"
        kind = StreamBroken if has_begun else SubgraphError
        return kind(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self._subgraph)

    async def aclose(self) -> None:
        """Close every open subscription."""
        for socket in tuple(self._open):
            await socket.close()
