"""Webhooks of a sandbox: kept with the change they tell of, signed, and delivered at least once, in order.

A receiver verifies ``X-<Name>-Signature: sha256=<hex>``, the HMAC-SHA256 of ``<X-<Name>-Timestamp>.<body>`` with the
shared secret. The timestamp is Unix seconds of real time; the body's times are those of the sandbox's clock.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import httpx

from sandbox.kit.faults import FaultInjector
from sandbox.kit.store import Store

__all__ = ["MAX_ATTEMPTS", "Webhooks", "signature"]

MAX_ATTEMPTS = 100
"""Times that a webhook is tried, about half an hour in all, before it is given up and shown as failed."""

FIRST_PAUSE_S = 0.1
LAST_PAUSE_S = 20.0
"""Pauses between attempts double from the first to the last."""

ANSWER_TIMEOUT_S = 5.0
"""Longest wait for a receiver's answer."""

KEPT_DELIVERED = 10_000
"""Delivered webhooks that are kept to be looked at."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kit_webhooks (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'WAITING',
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT
);
CREATE INDEX IF NOT EXISTS kit_webhooks_state ON kit_webhooks (state, position);
"""

_log = logging.getLogger("sandbox.webhooks")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the value of the signature header."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Webhooks:
    """The queue of a sandbox's webhooks and their sender.

    Args:
        name: the sandbox's name; header names carry it.
        store: where the queue is kept, beside the vendor's tables.
        url: where to deliver; None keeps webhooks waiting.
        secret: key of the signature.
        faults: says whether to send twice or out of order, and whether the system is down.
    """

    def __init__(self, name: str, store: Store, url: str | None, secret: str, faults: FaultInjector) -> None:
        self._name = name
        self._store = store
        self._url = url
        self._secret = secret
        self._faults = faults
        self._more = asyncio.Event()
        store.script(_SCHEMA)

    def send(self, kind: str, body: Mapping[str, Any], *, key: str) -> str:
        """Queue a webhook within the caller's transaction and return its event id; the same key is queued once.

        Args:
            kind: the vendor's event type.
            body: the vendor's payload; ``id`` and ``type`` are added to it.
            key: what happened, such as ``shipment-7-packed``: decides the event id.
        """
        event_id = f"{self._name}-{hashlib.sha256(f'{self._name}:{kind}:{key}'.encode()).hexdigest()[:24]}"
        text = json.dumps({"id": event_id, "type": kind, **body}, separators=(",", ":"), default=str)
        self._store.execute(
            "INSERT INTO kit_webhooks (event_id, kind, body) VALUES (?, ?, ?) ON CONFLICT (event_id) DO NOTHING",
            (event_id, kind, text),
        )
        self._more.set()
        return event_id

    def counts(self) -> Mapping[str, int]:
        """Return how many webhooks wait, were delivered and failed."""
        rows = self._store.query("SELECT state, count(*) AS n FROM kit_webhooks GROUP BY state")
        return {"WAITING": 0, "DELIVERED": 0, "FAILED": 0} | {row["state"]: row["n"] for row in rows}

    def retry_failed(self) -> int:
        """Queue failed webhooks again and return how many."""
        retried = self._store.execute("UPDATE kit_webhooks SET state = 'WAITING', attempts = 0 WHERE state = 'FAILED'")
        self._more.set()
        return retried.rowcount

    async def deliver(self) -> None:
        """Deliver until cancelled; returns at once when there is no address."""
        if self._url is None:
            return
        async with httpx.AsyncClient(timeout=ANSWER_TIMEOUT_S, trust_env=False) as client:
            while True:
                self._more.clear()
                waiting = self._store.query(
                    "SELECT * FROM kit_webhooks WHERE state = 'WAITING' ORDER BY position LIMIT 2"
                )
                if not waiting:
                    await self._more.wait()
                elif len(waiting) > 1 and self._faults.strikes(self._faults.profile.webhooks.reorder_rate):
                    await self._attempt(client, dict(waiting[1]))
                else:
                    await self._attempt(client, dict(waiting[0]))

    async def _attempt(self, client: httpx.AsyncClient, webhook: Mapping[str, Any]) -> None:
        error = "the system is down" if self._faults.is_down() else await self._post(client, webhook)
        if error is None and self._faults.strikes(self._faults.profile.webhooks.duplicate_rate):
            await self._post(client, webhook)
        attempts = webhook["attempts"] + 1
        state = "DELIVERED" if error is None else "FAILED" if attempts >= MAX_ATTEMPTS else "WAITING"
        self._store.execute(
            "UPDATE kit_webhooks SET state = ?, attempts = ?, last_error = ? WHERE position = ?",
            (state, attempts, error, webhook["position"]),
        )
        if error is None:
            self._store.execute(
                "DELETE FROM kit_webhooks WHERE state = 'DELIVERED' AND position < ?",
                (webhook["position"] - KEPT_DELIVERED,),
            )
            return
        _log.info("webhook %s not delivered: %s", webhook["event_id"], error)
        await asyncio.sleep(min(FIRST_PAUSE_S * 2 ** min(attempts - 1, 20), LAST_PAUSE_S))

    async def _post(self, client: httpx.AsyncClient, webhook: Mapping[str, Any]) -> str | None:
        body = webhook["body"].encode()
        timestamp = str(int(time.time()))
        prefix = f"X-{self._name.capitalize()}"
        headers = {
            "Content-Type": "application/json",
            f"{prefix}-Event-Id": webhook["event_id"],
            f"{prefix}-Timestamp": timestamp,
            f"{prefix}-Signature": signature(self._secret, timestamp, body),
        }
        try:
            answer = await client.post(str(self._url), content=body, headers=headers)
        except httpx.HTTPError as error:
            return type(error).__name__
        return None if answer.is_success else f"answered {answer.status_code}"
