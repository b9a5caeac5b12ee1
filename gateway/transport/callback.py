"""Subscriptions from a subgraph by HTTP callback: it is asked once, and sends each event by a request of its own.

1. The gateway makes up an id and a verifier, and asks with them and the address where events are taken.
2. Before it answers, the subgraph checks that address; then it answers that the subscription has begun.
3. It sends events (``next``), signs of life (``check``) and the end (``complete``). 404 tells it that nobody listens.

https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/callback-protocol
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import orjson

from gateway.errors import ErrorCode, StreamBroken, SubgraphError
from gateway.transport.base import SubgraphRequest, SubgraphResponse, SubgraphTransport
from gateway.transport.inbox import Inbox
from gateway.transport.limits import TransportLimits
from gateway.transport.ws_messages import StreamFault

__all__ = ["CALLBACK_ACCEPT", "PROTOCOL", "CallbackTransport", "Callbacks"]

_log = logging.getLogger("gateway")

CALLBACK_ACCEPT = "application/json;callbackSpec=1.0, application/json;q=0.9"

PROTOCOL = ("subscription-protocol", "callback/1.0")
"""Header of every message, in both directions."""

_TAKEN, _MALFORMED, _FORBIDDEN, _UNKNOWN = 204, 400, 403, 404


@dataclass(frozen=True, slots=True)
class _Subscription:
    """One subscription under way."""

    id: str
    verifier: str = field(repr=False)
    inbox: Inbox


class Callbacks:
    """The subscriptions of this process whose events subgraphs send.

    Attributes:
        process: part of each address that names this process; made up anew whenever it starts.
    """

    def __init__(self) -> None:
        self._subscriptions: dict[str, _Subscription] = {}
        self.process = secrets.token_hex(8)

    @property
    def running(self) -> int:
        """Subscriptions under way."""
        return len(self._subscriptions)

    def knows(self, subscription: str) -> bool:
        """Tell whether a subscription is under way here."""
        return subscription in self._subscriptions

    def open(self, max_waiting: int, heartbeat_s: float) -> _Subscription:
        """Return a new subscription that takes events from now on."""
        opened = _Subscription(str(uuid4()), secrets.token_urlsafe(32), Inbox(max_waiting, heartbeat_s))
        self._subscriptions[opened.id] = opened
        return opened

    async def close(self, subscription: _Subscription) -> None:
        """Take no more events of a subscription; the subgraph learns it with the next one."""
        self._subscriptions.pop(subscription.id, None)
        await subscription.inbox.close()

    async def deliver(self, subscription: str, body: bytes) -> int:
        """Take one message of a subgraph and return the HTTP status that answers it."""
        found = self._subscriptions.get(subscription)
        if found is None:
            return _UNKNOWN
        message = _parse(body)
        if message is None:
            return _MALFORMED
        if message["id"] != subscription:
            return _UNKNOWN
        if not hmac.compare_digest(message["verifier"].encode(), found.verifier.encode()):
            _log.warning("a callback for the subscription %s came with a wrong verifier", subscription)
            return _FORBIDDEN
        return await _take(message, found.inbox)


async def _take(message: dict[str, Any], inbox: Inbox) -> int:
    match message["action"]:
        case "check":
            inbox.hear()
            is_taken = not inbox.is_over
        case "next" if isinstance(message.get("payload"), dict):
            is_taken = await inbox.put(orjson.dumps(message["payload"]))
        case "complete":
            errors = message.get("errors")
            last = (orjson.dumps({"errors": errors}), None) if errors else (None,)
            is_taken = await inbox.put(*last)
        case _:
            return _MALFORMED
    return _TAKEN if is_taken else _UNKNOWN


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(message, dict) or message.get("kind") != "subscription":
        return None
    return message if all(isinstance(message.get(key), str) for key in ("id", "verifier", "action")) else None


_UNCHECKED = "did not check the address for events: is callback.public_url the right one?"
"""Why a subscription fails whose subgraph has not reached the gateway."""


class CallbackTransport:
    """Asks for subscriptions through ``inner`` and takes their events from ``callbacks``.

    Args:
        public_url: address where events are taken, as the subgraph reaches it.
        heartbeat_s: seconds within which the subgraph has to give each sign of life.
    """

    def __init__(
        self,
        subgraph: str,
        inner: SubgraphTransport,
        callbacks: Callbacks,
        limits: TransportLimits,
        public_url: str,
        heartbeat_s: float,
    ) -> None:
        self._subgraph = subgraph
        self._inner = inner
        self._callbacks = callbacks
        self._limits = limits
        self._public_url = public_url.rstrip("/")
        self._heartbeat_s = heartbeat_s
        self._open: set[Inbox] = set()

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """Answer with the first result of the stream; this transport is meant for subscriptions."""
        stream = self.subscribe(request)
        try:
            async for body in stream:
                return SubgraphResponse(200, "application/json", body)
        finally:
            await stream.aclose()
        raise self._fault(StreamFault("the stream ended without an answer"))

    async def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """See :class:`gateway.transport.base.SubgraphTransport`."""
        subscription = self._callbacks.open(self._limits.max_waiting_events, self._heartbeat_s)
        inbox = subscription.inbox
        self._open.add(inbox)
        has_begun = False
        try:
            refused = await self._ask(request, subscription)
            if refused is not None:
                yield refused
                return
            has_begun = True
            while (event := await inbox.take()) is not None:
                yield event
        except StreamFault as fault:
            raise self._fault(fault, has_begun=has_begun) from fault
        finally:
            self._open.discard(inbox)
            await self._callbacks.close(subscription)

    async def _ask(self, request: SubgraphRequest, subscription: _Subscription) -> bytes | None:
        """Ask the subgraph to begin; return its answer when that is a GraphQL error."""
        body = orjson.loads(request.body)
        body["extensions"] = {**(body.get("extensions") or {}), "subscription": self._terms(subscription)}
        asking = replace(
            request,
            body=orjson.dumps(body),
            headers=(*request.headers, PROTOCOL),
            timeout_s=self._limits.connect_timeout_s,
            is_mutation=True,  # a second one would begin a second stream
            sharing=None,
        )
        response = await self._inner.send(asking)
        if not 200 <= response.status < 300:
            message = f"subgraph {self._subgraph} did not start a subscription (HTTP status {response.status})"
            if not subscription.inbox.is_confirmed:
                message += f", and {_UNCHECKED}"
            raise SubgraphError(
                ErrorCode.SUBGRAPH_BAD_STATUS, message, subgraph=self._subgraph, http_status_seen=response.status
            )
        if _has_errors(response.body):
            return response.body
        if not subscription.inbox.is_confirmed:
            raise StreamFault(f"it {_UNCHECKED}")
        return None

    def _terms(self, subscription: _Subscription) -> dict[str, Any]:
        """Return what the subgraph is told of where to send events."""
        return {
            "callbackUrl": f"{self._public_url}/{self._callbacks.process}/{subscription.id}",
            "subscriptionId": subscription.id,
            "verifier": subscription.verifier,
            "heartbeatIntervalMs": round(self._heartbeat_s * 1000),
        }

    def _fault(self, fault: StreamFault, *, has_begun: bool = False) -> SubgraphError:
        message = f"the subscription at subgraph {self._subgraph} failed: {fault}"
        kind = StreamBroken if has_begun else SubgraphError
        return kind(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self._subgraph)

    async def aclose(self) -> None:
        """Break every stream off and close the way to the subgraph."""
        for inbox in tuple(self._open):
            await inbox.fail("the gateway does not follow it any more")
        await self._inner.aclose()


def _has_errors(body: bytes) -> bool:
    try:
        answer = orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return False
    return isinstance(answer, dict) and bool(answer.get("errors"))
