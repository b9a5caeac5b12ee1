"""Webhooks as the warehouse and transport systems send them: who sent it, when, and that it was not changed.

``X-<Name>-Signature: sha256=<hex>`` is the HMAC-SHA256 of ``<X-<Name>-Timestamp>.<body>`` with a shared secret. The
timestamp bounds how long a message that somebody has overheard can be sent again; what is repeated within that time is
recognised by its event id.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from schema.enums import SourceSystem

__all__ = ["MAX_BODY_BYTES", "BadWebhook", "Webhook", "read_webhook"]

MAX_AGE_S = 300
"""How far a webhook's timestamp may be from our clock."""

MAX_BODY_BYTES = 256 * 1024
"""Largest webhook."""

MAX_ID_CHARS = 150

MAX_TYPE_CHARS = 120
"""Longest name of what happened that the inbox has room for."""

_MAX_TIMESTAMP_DIGITS = 12
_ESCAPED_NUL = b"\\u0000"


class BadWebhook(Exception):
    """A webhook that is not taken; ``status`` is the HTTP status that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook whose signature was right: what its sender calls it and says."""

    source: SourceSystem
    event_id: str
    type: str
    payload: Mapping[str, Any]


def read_webhook(source: SourceSystem, headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> Webhook:
    """Return a webhook of ``source``; ``headers`` have lower-case names.

    Raises:
        BadWebhook: 401 when it is not signed by who knows the secret or is too old, 400 when it is malformed, 413 when
            it is too large.
    """
    prefix = f"x-{source.value.lower()}"
    if len(body) > MAX_BODY_BYTES:
        raise BadWebhook(413, f"a webhook has at most {MAX_BODY_BYTES} bytes")
    timestamp = headers.get(f"{prefix}-timestamp", "")
    signed = timestamp.encode() + b"." + body
    expected = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), headers.get(f"{prefix}-signature", "").encode()):
        raise BadWebhook(401, "the signature is missing or wrong")
    is_number = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MAX_TIMESTAMP_DIGITS
    if not is_number or abs(now.timestamp() - int(timestamp)) > MAX_AGE_S:
        raise BadWebhook(401, f"the timestamp is more than {MAX_AGE_S} s away")
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadWebhook(400, "the body is not JSON") from error
    if not isinstance(payload, dict):
        raise BadWebhook(400, "the body is not a JSON object")
    event_id, kind = headers.get(f"{prefix}-event-id", ""), payload.get("type")
    if not 0 < len(event_id) <= MAX_ID_CHARS or event_id != payload.get("id") or not isinstance(kind, str):
        raise BadWebhook(400, "the event id or type is missing, or header and body do not agree")
    if len(kind) > MAX_TYPE_CHARS:
        raise BadWebhook(400, f"a type has at most {MAX_TYPE_CHARS} characters")
    if _ESCAPED_NUL in body and _holds_nul(payload):
        raise BadWebhook(400, "a text holds the character U+0000, which cannot be kept")
    return Webhook(source, event_id, kind, payload)


def _holds_nul(value: Any) -> bool:
    """Return whether a text somewhere in a JSON value holds what PostgreSQL does not store."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(name) or _holds_nul(entry) for name, entry in value.items())
    return isinstance(value, list) and any(_holds_nul(entry) for entry in value)
