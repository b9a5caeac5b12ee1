"""The CRM's HTTP face; ``README.md`` beside this file describes it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.crm.api import Api
from sandbox.crm.calls import Call
from sandbox.crm.objects import SCHEMA
from sandbox.crm.query import MAX_BATCH
from sandbox.crm.refusal import CrmRefusal, refused
from sandbox.crm.seed import seed
from sandbox.crm.sessions import DAY_CALLS, SESSION_S, CallLimit, Sessions
from sandbox.kit.host import Host
from sandbox.kit.store import Store
from sandbox.world.model import WorldModel

__all__ = ["Crm"]

VERSIONS = {61: "Summer '24", 62: "Winter '25", 63: "Spring '25"}
"""Versions of the API, with the names of their releases."""

MAX_URI_BYTES = 16_384
"""Longest path with query string, as in the CRM."""

MAX_BODY_BYTES = 6 * 1024 * 1024
"""Largest body of a request."""

_PATH = re.compile(r"(/services/data/v(\d{1,3})\.0)/(.+)")
_CLIENT = re.compile(r"\bclient=([\w.-]{1,80})")
_ORGANISATION = "00D000000000001AAA"
_USER = "005000000000001AAA"


class Crm:
    """The vendor of the CRM sandbox.

    Args:
        day_calls: calls of one day.
        page_rows: records of a query's page at most.
        session_s: how long a session lasts without use.
        monotonic: seconds of real time, by which sessions end.
    """

    name = "crm"
    schema = SCHEMA

    def __init__(
        self,
        *,
        day_calls: int = DAY_CALLS,
        page_rows: int = MAX_BATCH,
        session_s: float = SESSION_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._day_calls = day_calls
        self._page_rows = page_rows
        self._session_s = session_s
        self._monotonic = monotonic

    def seed(self, store: Store, world: WorldModel) -> None:
        """Fill an empty store."""
        seed(store, world)

    def routes(self, host: Host) -> Sequence[BaseRoute]:
        """Return the API."""

        def today() -> date:
            return host.clock.now().date()

        sessions = Sessions(host.settings.credentials, self._session_s, self._monotonic)
        face = _Face(host, sessions, CallLimit(self._day_calls, today), self._page_rows)
        return [
            Route("/services/oauth2/token", face.token, methods=["POST"]),
            Route("/services/oauth2/revoke", face.revoke, methods=["POST"]),
            Route("/services/data", _versions, methods=["GET"]),
            Route("/services/data/", _versions, methods=["GET"]),
            Route("/services/data/{rest:path}", face.data, methods=["GET", "POST", "PATCH", "DELETE"]),
        ]

    def failure(self, status: int, message: str) -> Response:
        """Return an error of the API."""
        codes = {
            401: "INVALID_SESSION_ID",
            403: "INSUFFICIENT_ACCESS",
            404: "NOT_FOUND",
            429: "TOO_MANY_REQUESTS",
            503: "SERVER_UNAVAILABLE",
        }
        return refused(CrmRefusal(status, codes.get(status, "UNKNOWN_EXCEPTION"), message))

    async def work(self, host: Host) -> None:
        """Nothing happens in the CRM by itself."""
        del host


class _Face:
    def __init__(self, host: Host, sessions: Sessions, limit: CallLimit, page_rows: int) -> None:
        self._host = host
        self._sessions = sessions
        self._limit = limit
        self._api = Api(host, page_rows, lambda: (limit.of_day - limit.used, limit.of_day))

    async def token(self, request: Request) -> Response:
        """Answer the OAuth2 client-credentials flow."""
        form = await _form(request)
        if form.get("grant_type") != "client_credentials":
            return _no_token("unsupported_grant_type", "grant type not supported")
        token = self._sessions.sign_in(form)
        if token is None:
            return _no_token("invalid_client", "invalid client credentials")
        base = str(request.base_url).rstrip("/")
        return JSONResponse(
            {
                "access_token": token,
                "scope": "api",
                "instance_url": base,
                "id": f"{base}/id/{_ORGANISATION}/{_USER}",
                "token_type": "Bearer",
                "issued_at": str(int(self._host.clock.now().timestamp() * 1000)),
            }
        )

    async def revoke(self, request: Request) -> Response:
        """End a session."""
        if self._sessions.revoke((await _form(request)).get("token", "")):
            return Response(status_code=200)
        return _no_token("invalid_token", "no session has this token")

    async def data(self, request: Request) -> Response:
        """Answer a call to a resource."""
        try:
            self._sessions.check(request.headers.get("authorization", ""))
        except CrmRefusal as refusal:
            return refused(refusal)
        try:
            self._limit.take()
            reply = self._api.answer(await self._call(request))
        except CrmRefusal as refusal:
            answer = refused(refusal)
        else:
            headers = dict(reply.headers)
            answer = (
                Response(status_code=reply.status, headers=headers)
                if reply.body is None
                else JSONResponse(reply.body, reply.status, headers)
            )
        answer.headers["Sforce-Limit-Info"] = f"api-usage={self._limit.used}/{self._limit.of_day}"
        return answer

    async def _call(self, request: Request) -> Call:
        raw = request.scope["raw_path"].decode("ascii", "replace")
        if len(raw) + len(request.scope["query_string"]) > MAX_URI_BYTES:
            raise CrmRefusal(414, "URI_TOO_LONG", f"the address is longer than {MAX_URI_BYTES} bytes")
        found = _PATH.fullmatch(raw)
        if found is None or int(found[2]) not in VERSIONS:
            raise CrmRefusal(404, "NOT_FOUND", "The requested resource does not exist")
        return Call(
            request.method,
            found[1],
            found[3],
            dict(request.query_params),
            await _object(request),
            request.headers.get("sforce-query-options", ""),
            _client(request.headers.get("sforce-call-options", "")),
        )


def _client(options: str) -> str:
    found = _CLIENT.search(options)
    return "" if found is None else found[1]


async def _versions(_: Request) -> Response:
    return JSONResponse(
        [
            {"label": label, "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
            for number, label in VERSIONS.items()
        ]
    )


async def _form(request: Request) -> Mapping[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


def _no_token(error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, 400)


async def _object(request: Request) -> Mapping[str, Any]:
    raw = await request.body()
    if not raw:
        return {}
    if len(raw) > MAX_BODY_BYTES:
        raise CrmRefusal(413, "REQUEST_ENTITY_TOO_LARGE", "the request is too large")
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise CrmRefusal(400, "JSON_PARSER_ERROR", f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise CrmRefusal(400, "JSON_PARSER_ERROR", "the body must be a JSON object")
    return body
