"""The ERP's HTTP face: sign-in, requests, batches; ``README.md`` beside this file describes it."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.erp.api import Api, Call
from sandbox.erp_book.codes import BadField, ErpError
from sandbox.erp_book.numbers import CLOUD_RANGES
from sandbox.erp_book.posting import post_due
from sandbox.erp_book.requests import read_body
from sandbox.erp_book.seed import seed
from sandbox.erp_book.tables import SCHEMA
from sandbox.kit.due import DueWork
from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal
from sandbox.kit.store import Store
from sandbox.world.model import WorldModel

__all__ = ["Erp"]

TOKEN_S = 3_600
"""Life of an access token."""

MAX_TOKENS = 1_000
"""Tokens that are valid at once; the oldest gives way."""

MAX_BATCH = 100
"""Requests of one batch."""


class Erp:
    """The vendor of the ERP sandbox."""

    name = "erp"
    schema = SCHEMA

    def __init__(self) -> None:
        self._tokens: dict[str, float] = {}
        self._due: DueWork | None = None

    def seed(self, store: Store, world: WorldModel) -> None:
        """Fill an empty store."""
        seed(store, world, CLOUD_RANGES)

    def routes(self, host: Host) -> Sequence[BaseRoute]:
        """Return the API."""
        self._due = DueWork(host.clock, lambda now: post_due(host.store, now))
        face = _Face(host, self._tokens, self._due)
        return [
            Route("/oauth2/v2.0/token", face.token, methods=["POST"]),
            Route("/api/{rest:path}", face.answer, methods=["GET", "POST", "PATCH", "DELETE"]),
        ]

    def failure(self, status: int, message: str) -> Response:
        """Return an error in Business Central's format."""
        code = {404: ErpError.NOT_FOUND, 429: "Application_TooManyRequests", 503: "ServiceUnavailable"}
        return _error(Refusal(status, code.get(status, "Internal_ServerError"), message))

    async def work(self, host: Host) -> None:
        """Post and close orders as time passes."""
        del host
        if self._due is not None:
            await self._due.run()

    def revoke_tokens(self) -> None:
        """Make every access token invalid, as an administrator can."""
        self._tokens.clear()


class _Face:
    def __init__(self, host: Host, tokens: dict[str, float], due: DueWork) -> None:
        self._credentials = host.settings.credentials
        self._tokens = tokens
        self._api = Api(host, due)

    async def token(self, request: Request) -> Response:
        """Answer the OAuth2 client-credentials flow."""
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        fits = all(
            self._credentials.get(name) and hmac.compare_digest(form.get(name, "").encode(), known.encode())
            for name, known in ((name, self._credentials.get(name, "")) for name in ("client_id", "client_secret"))
        )
        if form.get("grant_type") != "client_credentials" or not fits:
            return JSONResponse({"error": "invalid_client", "error_description": "client id or secret is wrong"}, 401)
        while len(self._tokens) >= MAX_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        made = secrets.token_urlsafe(24)
        self._tokens[made] = time.monotonic() + TOKEN_S
        return JSONResponse({"token_type": "Bearer", "expires_in": TOKEN_S, "access_token": made})

    async def answer(self, request: Request) -> Response:
        """Answer a request to the API, or a batch of them."""
        try:
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            if self._tokens.get(token, 0) < time.monotonic():
                message = "The server has rejected the client credentials."
                raise Refusal(401, ErpError.CREDENTIALS, message)  # noqa: TRY301 - one way out
            body = await read_body(request)
            base = str(request.base_url).rstrip("/")
            if request.method == "POST" and request.url.path.endswith("/$batch"):
                group_path = request.url.path.removesuffix("$batch")
                goes_on = "odata.continue-on-error" in request.headers.get("prefer", "")
                return _json_response(200, {"responses": self._batch(body, base, group_path, goes_on=goes_on)})
            status, answer = self._api.answer(
                Call(
                    request.method,
                    request.url.path,
                    dict(request.query_params),
                    body,
                    request.headers.get("if-match", ""),
                    base,
                )
            )
        except Refusal as refusal:
            return _error(refusal)
        return _json_response(status, answer)

    def _batch(self, body: Mapping[str, Any], base: str, root: str, *, goes_on: bool) -> list[dict[str, Any]]:
        """Answer requests one after the other; without ``goes_on`` the first that fails is the last."""
        requests = body.get("requests")
        if not isinstance(requests, list) or not 0 < len(requests) <= MAX_BATCH:
            raise Refusal(400, ErpError.BAD_REQUEST, f"A batch has 1 to {MAX_BATCH} requests")
        answers: list[dict[str, Any]] = []
        for entry in requests:
            answers.append(self._one_of_batch(entry, base, root))
            if answers[-1]["status"] >= 400 and not goes_on:
                break
        return answers

    def _one_of_batch(self, entry: object, base: str, root: str) -> dict[str, Any]:
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str) or not isinstance(entry.get("url"), str):
            raise Refusal(400, ErpError.BAD_REQUEST, "A request of a batch has an id, a method and a url")
        if {"dependsOn", "atomicityGroup"} & set(entry):
            raise Refusal(400, ErpError.BAD_REQUEST, "Requests of a batch cannot depend on each other")
        path, _, query = entry["url"].partition("?")
        headers, content = entry.get("headers") or {}, entry.get("body") or {}
        if not isinstance(headers, dict) or not isinstance(content, dict):
            raise Refusal(400, ErpError.BAD_REQUEST, "headers and body must be objects")
        match = next((str(value) for name, value in headers.items() if name.lower() == "if-match"), "")
        call = Call(
            str(entry.get("method", "GET")).upper(),
            path if path.startswith("/") else root + path,
            dict(parse_qsl(query, keep_blank_values=True)),
            content,
            match,
            base,
        )
        try:
            status, answer = self._api.answer(call)
        except Refusal as refusal:
            return {"id": entry["id"], "status": refusal.status, "body": _error_body(refusal)}
        return {"id": entry["id"], "status": status} | ({} if answer is None else {"body": answer})


def _json_response(status: int, answer: Any) -> Response:
    if answer is None:
        return Response(status_code=status)
    return Response(orjson.dumps(answer), status, media_type="application/json")


def _error(refusal: Refusal) -> Response:
    return JSONResponse(_error_body(refusal), refusal.status)


def _error_body(refusal: Refusal) -> dict[str, Any]:
    target = {"target": refusal.target} if isinstance(refusal, BadField) else {}
    return {"error": {"code": refusal.code, "message": refusal.message, **target}}
