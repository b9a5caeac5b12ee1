"""The transport system's REST API; ``README.md`` beside this file describes it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.kit.host import Host
from sandbox.kit.rest import Handler, Refusal, bearer_guard, read_keys, read_object, read_page
from sandbox.kit.store import Store
from sandbox.tms.codes import CODES, NEW_DATE
from sandbox.tms.loads import MAX_TEXT, Loads, Report, loads_json, read_moment
from sandbox.tms.seed import seed
from sandbox.tms.tables import SCHEMA
from sandbox.world.model import WorldModel

__all__ = ["Tms"]

MAX_DELAY_H = 24 * 30
"""Longest delay that a carrier may report at once."""


class Tms:
    """The vendor of the transport sandbox."""

    name = "tms"
    schema = SCHEMA

    def __init__(self) -> None:
        self._loads: Loads | None = None

    def seed(self, store: Store, world: WorldModel) -> None:
        """Fill an empty store."""
        seed(store, world)

    def routes(self, host: Host) -> Sequence[BaseRoute]:
        """Return the API."""
        self._loads = loads = Loads(host)
        key = host.settings.credentials.get("api_key", "")

        def route(path: str, handle: Handler, method: str) -> Route:
            return Route(path, bearer_guard(key, handle, _refused), methods=[method])

        def shown(request: Request, rows: Sequence[str]) -> list[dict[str, Any]]:
            return [_with_proof(load, str(request.base_url), key) for load in loads_json(host.store, rows)]

        async def tender(request: Request) -> Response:
            is_new, number = loads.tender(await read_object(request))
            return JSONResponse(shown(request, [number])[0], 201 if is_new else 200)

        async def find(request: Request) -> Response:
            column, value = _sought(request.query_params)
            rows = host.store.query(f"SELECT shipment FROM loads WHERE {column} = ?", (value,))  # noqa: S608 - ours
            return JSONResponse({"loads": shown(request, [row["shipment"] for row in rows])})

        async def track(request: Request) -> Response:
            query = await read_object(request)
            column, values = read_keys(query, {"shipmentNumbers": "shipment"})
            rows, cursor = read_page(host.store, "loads", "shipment", {column: values}, query)
            return JSONResponse({"loads": shown(request, [row["shipment"] for row in rows]), "next": cursor})

        async def report(request: Request) -> Response:
            load_id = request.path_params["load_id"]
            is_new, number = loads.report(load_id, _report(host, await read_object(request)))
            return JSONResponse(shown(request, [number])[0], 201 if is_new else 200)

        async def proof(request: Request) -> Response:
            return _proof(host.store, request.path_params["tracking"], request.query_params.get("token", ""), key)

        return [
            route("/v2/loads", tender, "POST"),
            route("/v2/loads", find, "GET"),
            route("/v2/loads/query", track, "POST"),
            route("/v2/loads/{load_id}/milestones", report, "POST"),
            Route("/pod/{tracking}", proof),
        ]

    def failure(self, status: int, message: str) -> Response:
        """Return an error of the API."""
        code = {404: "NOT_FOUND", 429: "TOO_MANY_REQUESTS", 503: "UNAVAILABLE"}.get(status, "FAILED")
        return _refused(Refusal(status, code, message))

    async def work(self, host: Host) -> None:
        """Move loads as time passes."""
        del host
        if self._loads is not None:
            await self._loads.work()


def _refused(refusal: Refusal) -> Response:
    return JSONResponse({"code": refusal.code, "detail": refusal.message}, refusal.status)


def _sought(params: Mapping[str, str]) -> tuple[str, str]:
    columns = {"trackingNumber": "tracking", "externalKey": "external_key"}
    given = [(column, params[name]) for name, column in columns.items() if params.get(name)]
    if len(given) != 1:
        raise Refusal(422, "MISSING_FIELD", f"give exactly one of {', '.join(columns)}")
    return given[0]


def _report(host: Host, body: Mapping[str, Any]) -> Report:
    code = body.get("code")
    if not isinstance(code, str) or code not in CODES:
        raise Refusal(422, "UNKNOWN_CODE", f"code must be one of {', '.join(CODES)}")
    for name in ("city", "reason"):
        if body.get(name) is not None and (not isinstance(body[name], str) or len(body[name]) > MAX_TEXT):
            raise Refusal(422, "BAD_FIELD", f"{name} must be a text with at most {MAX_TEXT} characters")
    if code in NEW_DATE and body.get("eta") is None:
        raise Refusal(422, "MISSING_FIELD", f"{code} comes with eta")
    delay = body.get("delayHours", 26)
    if isinstance(delay, bool) or not isinstance(delay, int | float) or not 0 <= delay <= MAX_DELAY_H:
        raise Refusal(422, "BAD_FIELD", f"delayHours must be a number from 0 to {MAX_DELAY_H}")
    return Report(
        code=code,
        at=host.clock.now() if body.get("at") is None else read_moment(body, "at"),
        place=body.get("city"),
        reason=body.get("reason"),
        eta=read_moment(body, "eta") if code in NEW_DATE else None,
        delay=timedelta(hours=delay),
    )


def _token(tracking: str, key: str) -> str:
    return hmac.new(key.encode(), f"pod:{tracking}".encode(), hashlib.sha256).hexdigest()[:32]


def _with_proof(load: Mapping[str, Any], base_url: str, key: str) -> dict[str, Any]:
    """Return a load with the address of its proof of delivery, which whoever has the address may read."""
    tracking = load["trackingNumber"]
    proof = f"{base_url}pod/{tracking}?token={_token(tracking, key)}" if load["deliveredAt"] else None
    return {**load, "proofOfDeliveryUrl": proof}


def _proof(store: Store, tracking: str, token: str, key: str) -> Response:
    load = store.one("SELECT * FROM loads WHERE tracking = ? AND delivered_at IS NOT NULL", (tracking,))
    if load is None or not hmac.compare_digest(token.encode(), _token(tracking, key).encode()):
        return _refused(Refusal(404, "NOT_FOUND", "there is no such proof of delivery"))
    return PlainTextResponse(
        f"PROOF OF DELIVERY\ncarrier {load['carrier']}  tracking {tracking}\n"
        f"shipment {load['shipment']} for {load['destination']}\ndelivered at {load['delivered_at']}\n"
        "received in good order by the receiving desk\n"
    )
