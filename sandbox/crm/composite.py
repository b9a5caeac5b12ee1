"""Several calls in one request: each may name what an earlier one answered, ``@{made.id}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from sandbox.crm.calls import Call, Reply
from sandbox.crm.refusal import CrmRefusal, refusal_body
from sandbox.kit.store import Store

__all__ = ["Composite"]

MAX_PARTS = 25
"""Calls of one request, as in the CRM."""

_URL = re.compile(r"(/services/data/v\d{1,3}\.0)/(.+)", re.DOTALL)
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d{1,4}\])*)\}")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_ROLLED_BACK = "The transaction was rolled back since another operation in the same transaction failed."


class _RolledBackError(Exception):
    """A part of an all-or-none request failed."""


class Composite:
    """The composite resource.

    Args:
        store: whose transaction an all-or-none request is.
        answer: answers one call.
    """

    def __init__(self, store: Store, answer: Callable[[Call], Reply]) -> None:
        self._store = store
        self._answer = answer

    def answer(self, body: Mapping[str, Any], client: str) -> dict[str, Any]:
        """Return the replies to all parts, which ``client`` asks for.

        Raises:
            CrmRefusal: the request has no parts, too many, or parts without a name of their own.
        """
        parts = _parts(body)
        all_or_none = body.get("allOrNone", False) is True
        done: dict[str, dict[str, Any]] = {}
        try:
            if all_or_none:
                with self._store.transaction():
                    self._run(parts, done, client, stop=True)
            else:
                self._run(parts, done, client, stop=False)
        except _RolledBackError:
            for part in parts:
                name = part["referenceId"]
                if name not in done or done[name]["httpStatusCode"] < 400:
                    done[name] = _reply(name, CrmRefusal(400, "PROCESSING_HALTED", _ROLLED_BACK))
        return {"compositeResponse": [done[part["referenceId"]] for part in parts]}

    def _run(self, parts: list[dict[str, Any]], done: dict[str, dict[str, Any]], client: str, *, stop: bool) -> None:
        for part in parts:
            name = part["referenceId"]
            try:
                reply = self._answer(_call(part, done, client))
            except CrmRefusal as refusal:
                done[name] = _reply(name, refusal)
                if stop:
                    raise _RolledBackError from refusal
                continue
            done[name] = {
                "body": reply.body,
                "httpHeaders": dict(reply.headers),
                "httpStatusCode": reply.status,
                "referenceId": name,
            }


def _reply(name: str, refusal: CrmRefusal) -> dict[str, Any]:
    body = refusal_body(refusal)
    return {"body": body, "httpHeaders": {}, "httpStatusCode": refusal.status, "referenceId": name}


def _parts(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = body.get("compositeRequest")
    if not isinstance(parts, list) or not 0 < len(parts) <= MAX_PARTS:
        raise CrmRefusal(400, "JSON_PARSER_ERROR", f"compositeRequest holds 1 to {MAX_PARTS} requests")
    names: set[str] = set()
    for part in parts:
        name = part.get("referenceId") if isinstance(part, dict) else None
        if not isinstance(name, str) or not re.fullmatch(r"\w+", name) or name in names:
            raise CrmRefusal(400, "JSON_PARSER_ERROR", "every request has a referenceId of its own")
        names.add(name)
    return parts


def _call(part: Mapping[str, Any], done: Mapping[str, Any], client: str) -> Call:
    path, _, query = str(part.get("url", "")).partition("?")
    found = _URL.fullmatch(_filled(path, done))
    if found is None or found[2].startswith("composite"):
        raise CrmRefusal(404, "NOT_FOUND", "The requested resource does not exist")
    body = _filled_in(part.get("body") or {}, done)
    if not isinstance(body, dict):
        raise CrmRefusal(400, "JSON_PARSER_ERROR", "the body of a request must be a JSON object")
    params = {name: _filled(value, done) for name, value in parse_qsl(query, keep_blank_values=True)}
    headers = part.get("httpHeaders") or {}
    options = headers.get("Sforce-Query-Options", "") if isinstance(headers, dict) else ""
    return Call(str(part.get("method", "")).upper(), found[1], found[2], params, body, str(options), client)


def _filled_in(value: Any, done: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return _filled(value, done)
    if isinstance(value, dict):
        return {name: _filled_in(inner, done) for name, inner in value.items()}
    return value


def _filled(text: str, done: Mapping[str, Any]) -> str:
    return _REFERENCE.sub(lambda found: _referenced(found, done), text)


def _referenced(found: re.Match[str], done: Mapping[str, Any]) -> str:
    name, path = found[1], found[2]
    value: Any = done[name]["body"] if name in done else None
    for step in _STEP.finditer(path):
        try:
            value = value[step[1]] if step[1] else value[int(step[2])]
        except (LookupError, TypeError):
            value = None
    if not isinstance(value, str | int | float):
        message = f"Invalid reference specified. No value for {name}{path} found in {name}"
        raise CrmRefusal(400, "PROCESSING_HALTED", message)
    return str(value)
