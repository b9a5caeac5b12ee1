"""The façade before the old programs: sign-on, one address per program, return codes; ``README.md`` describes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.erp_book.codes import BadField
from sandbox.erp_book.numbers import LEGACY_RANGES
from sandbox.erp_book.posting import post_due
from sandbox.erp_book.requests import read_body
from sandbox.erp_book.seed import seed
from sandbox.erp_book.tables import SCHEMA
from sandbox.kit.due import DueWork
from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal
from sandbox.kit.store import Store
from sandbox.legacy_erp import journal
from sandbox.legacy_erp.entry import Entry
from sandbox.legacy_erp.inquiry import PROGRAMS, Answer
from sandbox.legacy_erp.tickets import TICKET_S, Tickets
from sandbox.legacy_erp.words import RETURN_CODES, SUPPORT
from sandbox.world.model import WorldModel

__all__ = ["LegacyErpSandbox"]

SIGN_ON = "SIGNON"


class LegacyErpSandbox:
    """The vendor of the legacy ERP's sandbox."""

    name = "legacy_erp"
    schema = SCHEMA + journal.SCHEMA

    def __init__(self) -> None:
        self._tickets = Tickets()
        self._due: DueWork | None = None

    def seed(self, store: Store, world: WorldModel) -> None:
        """Fill an empty store with the customers of a world, or a part of one, and all that is theirs."""
        seed(store, world, LEGACY_RANGES)
        journal.begin(store)

    def routes(self, host: Host) -> Sequence[BaseRoute]:
        """Return the façade."""
        self._due = DueWork(host.clock, lambda now: post_due(host.store, now))
        face = _Face(host, self._tickets, self._due)
        return [Route("/svc/{program}", face.answer, methods=["POST"])]

    def failure(self, status: int, message: str) -> Response:
        """Return a failure of the façade."""
        return _response(status, {"RC": SUPPORT, "MSG": message})

    async def work(self, host: Host) -> None:
        """Post and close orders as time passes."""
        del host
        if self._due is not None:
            await self._due.run()

    def end_tickets(self) -> None:
        """Make every ticket worthless, as an operator can."""
        self._tickets.end_all()


class _Face:
    def __init__(self, host: Host, tickets: Tickets, due: DueWork) -> None:
        self._store = host.store
        self._credentials = host.settings.credentials
        self._tickets = tickets
        self._entry = Entry(host, due)

    async def answer(self, request: Request) -> Response:
        """Run a program; what it refuses comes with a return code and status 200."""
        name = request.path_params["program"]
        try:
            body = await read_body(request)
        except Refusal as refusal:
            return _response(refusal.status, {"PGM": name, "RC": SUPPORT, "MSG": refusal.message})
        if name == SIGN_ON:
            ticket = self._tickets.give(body, self._credentials)
            if ticket is None:
                return _response(401, {"PGM": name, "RC": SUPPORT, "MSG": "user or password is wrong"})
            return _response(200, {"PGM": name, "RC": "00", "TICKET": ticket, "TTL": TICKET_S})
        if not self._tickets.is_good(request.headers.get("x-ticket", "")):
            return _response(401, {"PGM": name, "RC": SUPPORT, "MSG": "sign on first: the ticket is not good"})
        program = self._program(name)
        if program is None:
            return _response(404, {"PGM": name, "RC": SUPPORT, "MSG": "there is no such program"})
        try:
            found = program(body)
        except Refusal as refusal:
            return _response(200, {"PGM": name, **_refused(refusal)})
        return _response(200, {"PGM": name, "RC": "00", "MSG": "", **_shown(found)})

    def _program(self, name: str) -> Callable[[Mapping[str, Any]], Answer] | None:
        reads = journal.delta if name == "DELTA" else PROGRAMS.get(name)
        return self._entry.program(name) if reads is None else partial(reads, self._store)


def _shown(found: Answer) -> dict[str, Any]:
    return {"CNT": len(found.records), "RECS": found.records, "NEXT": found.next}


def _refused(refusal: Refusal) -> dict[str, Any]:
    field = refusal.target if isinstance(refusal, BadField) else ""
    return {"RC": RETURN_CODES.get(refusal.code, "BR"), "MSG": refusal.message, "FLD": field}


def _response(status: int, body: Any) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
