"""The door for webhooks: what is signed by its sender is stored as it came and answered at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from events.inbox import Inbox, InboxMessage
from schema.enums import SourceSystem
from systems.errors import ConnectorError
from systems.ports import Clock
from systems.webhooks import MAX_BODY_BYTES, BadWebhook, read_webhook

__all__ = ["PREFIX", "Sender", "Senders", "webhook_routes"]

PREFIX = "/webhooks"

Senders = Mapping[str, "Sender"]
"""Who may send webhooks, by the last part of the path."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A system that sends webhooks, and the secret that proves it."""

    source: SourceSystem
    secret: str


def webhook_routes(inbox: Inbox, senders: Senders, clock: Clock, wake: Callable[[], None]) -> Router:
    """Return ``POST /webhooks/<sender>``: 202 when stored (also when known already), 4xx with the reason otherwise.

    Args:
        inbox: where messages are stored.
        senders: who may send.
        clock: bounds the age of messages.
        wake: called after a new message was stored.
    """

    async def receive(request: Request) -> Response:
        sender = senders.get(request.path_params["sender"])
        if sender is None:
            return _refused(404, f"nobody sends webhooks here; senders are {', '.join(sorted(senders))}")
        try:
            body = await _read(request)
            webhook = read_webhook(sender.source, request.headers, body, sender.secret, clock.now())
            is_new = await inbox.accept(InboxMessage(sender.source, webhook.event_id, webhook.type, webhook.payload))
        except BadWebhook as refusal:
            return _refused(refusal.status, str(refusal))
        except ConnectorError:
            return _refused(503, "the message could not be stored; send it again")
        except ClientDisconnect:
            return _refused(400, "the message ended early")
        if is_new:
            wake()
        return JSONResponse({"status": "accepted" if is_new else "known"}, 202)

    return Router([Route(f"{PREFIX}/{{sender}}", receive, methods=["POST"])])


async def _read(request: Request) -> bytes:
    """Return the body, at most one byte more than a webhook may have."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            break
    return body


def _refused(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status)
