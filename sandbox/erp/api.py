"""Requests to the API: which entity set, entity or action an address means, and what is done there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson

from sandbox.erp.entities import find_set, read_match, read_one, read_page
from sandbox.erp.sets import CUSTOM, GROUPS, STANDARD, EntitySet
from sandbox.erp_book.allocation import allocate, deallocate
from sandbox.erp_book.changes import change_lines
from sandbox.erp_book.codes import ErpError
from sandbox.erp_book.corrections import InvoiceCorrections
from sandbox.erp_book.customer_cards import CustomerCards
from sandbox.erp_book.customer_merges import CustomerMerges
from sandbox.erp_book.documents import Documents
from sandbox.erp_book.order_entry import read_key
from sandbox.erp_book.price_lines import PriceLines
from sandbox.erp_book.return_orders import ReturnOrders
from sandbox.erp_book.seed import COMPANY
from sandbox.kit.due import DueWork
from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal

__all__ = ["Api", "Call"]

_SEGMENT = re.compile(r"(?P<name>[A-Za-z.]+)(?:\((?P<key>[0-9A-Za-z-]+)\))?")
_ACTION = "Microsoft.NAV."
"""How names of actions begin."""

_QUANTITIES = ("allocated", "backordered")
_NOTHING: tuple[int, Any] = (204, None)


@dataclass(frozen=True, slots=True)
class Call:
    """A request, on its own or out of a batch. ``base`` is the address of the server."""

    method: str
    path: str
    options: Mapping[str, str]
    body: Mapping[str, Any]
    match: str
    base: str


@dataclass(frozen=True, slots=True)
class _Target:
    """What an address means."""

    entity_set: EntitySet
    key: str | None
    action: str | None


class Api:
    """Answers requests of both groups of APIs."""

    def __init__(self, host: Host, due: DueWork) -> None:
        self._store = host.store
        self._clock = host.clock
        self._documents = Documents(host)
        self._returns = ReturnOrders(host)
        self._cards = CustomerCards(host)
        self._merges = CustomerMerges(host)
        self._corrections = InvoiceCorrections(host)
        self._prices = PriceLines(host)
        self._due = due

    def answer(self, call: Call) -> tuple[int, Any]:
        """Return (status, body).

        Raises:
            Refusal: the request cannot be carried out, and nothing was done.
        """
        target = _read_path(unquote(call.path))
        entity_set, key = target.entity_set, target.key
        match call.method, key, target.action:
            case "GET", None, None:
                return 200, read_page(self._store, entity_set, call.options, call.base + call.path)
            case "GET", str(), None:
                return 200, read_one(self._store, entity_set, key, call.options)
        if entity_set.name == "customerCards":
            return self._card(entity_set, key, target.action, call)
        if entity_set.name == "prices":
            return self._price(entity_set, key, target.action, call)
        if entity_set.name == "returnOrders":
            return self._return(entity_set, key, target.action, call)
        if entity_set.name == "postedInvoices" and call.method == "POST" and key and target.action:
            with self._store.transaction():
                answer = self._corrections.act(key, target.action, call.body)
                return _NOTHING if answer is None else (200, answer)
        if entity_set.table != "orders":
            raise Refusal(405, ErpError.METHOD, f"{entity_set.name} can be read only")
        match call.method, key, target.action:
            case "POST", None, None:
                # In one transaction with the answer: what cannot be shown as it was asked for is not made.
                with self._store.transaction():
                    lines = call.body.get(next(iter(entity_set.expand)))
                    made = self._documents.create(call.body, lines, released=entity_set.group == CUSTOM)
                    return 201, read_one(self._store, entity_set, made, call.options)
            case "PATCH", str(), None:
                if not call.match:
                    raise Refusal(400, ErpError.NOT_PROVIDED, "If-Match is required: send the ETag that was read")
                with self._store.transaction():
                    self._documents.change(key, call.body, read_match(call.match))
                    return 200, read_one(self._store, entity_set, key, call.options)
            case "POST", str(), str() if entity_set.group == CUSTOM:
                return self._act(key, target.action, call)
        raise Refusal(405, ErpError.METHOD, f"{call.method} is not possible here")

    def _card(self, entity_set: EntitySet, key: str | None, action: str | None, call: Call) -> tuple[int, Any]:
        with self._store.transaction():
            if call.method == "POST" and key is not None and action is not None:
                self._merges.act(key, action, call.body)
                return _NOTHING
            if call.method == "POST" and key is None:
                made = self._cards.create(call.body)
                return 201, read_one(self._store, entity_set, made, call.options)
            if call.method == "PATCH" and key is not None and action is None:
                if not call.match:
                    raise Refusal(400, ErpError.NOT_PROVIDED, "If-Match is required: send the ETag that was read")
                self._cards.change(key, call.body, read_match(call.match))
                return 200, read_one(self._store, entity_set, key, call.options)
        raise Refusal(405, ErpError.METHOD, f"{call.method} is not possible here")

    def _price(self, entity_set: EntitySet, key: str | None, action: str | None, call: Call) -> tuple[int, Any]:
        with self._store.transaction():
            if call.method == "POST" and key is None and action is None:
                made = self._prices.create(call.body)
                return 201, read_one(self._store, entity_set, made, call.options)
            if call.method in ("PATCH", "DELETE") and key is not None and action is None:
                if not call.match:
                    raise Refusal(400, ErpError.NOT_PROVIDED, "If-Match is required: send the ETag that was read")
                if call.method == "DELETE":
                    self._prices.remove(key, read_match(call.match))
                    return _NOTHING
                self._prices.change(key, call.body, read_match(call.match))
                return 200, read_one(self._store, entity_set, key, call.options)
        raise Refusal(405, ErpError.METHOD, f"{call.method} is not possible here")

    def _return(self, entity_set: EntitySet, key: str | None, action: str | None, call: Call) -> tuple[int, Any]:
        with self._store.transaction():
            if call.method == "POST" and key is None and action is None:
                made = self._returns.create(call.body)
                return 201, read_one(self._store, entity_set, made, call.options)
            if call.method == "POST" and key is not None and action is not None:
                self._returns.act(key, action, call.body)
                return _NOTHING
        raise Refusal(405, ErpError.METHOD, f"{call.method} is not possible here")

    def _act(self, document_id: str, action: str, call: Call) -> tuple[int, Any]:
        match action:
            case "cancel":
                self._documents.cancel(document_id, read_match(call.match or "*"))
                return _NOTHING
            case "change":
                version = read_match(call.match)
                change_lines(self._store, document_id, call.body, version, self._clock.now())
                return _NOTHING
            case "allocate":
                made = allocate(self._store, document_id, read_key(call.body), self._clock.now())
                self._due.wake()
                return 200, {"value": [_with_numbers(entry) for entry in made]}
            case "deallocate":
                deallocate(self._store, document_id, read_key(call.body), self._clock.now())
                return _NOTHING
        raise Refusal(404, ErpError.NOT_FOUND, f"There is no action {action}")


def _with_numbers(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a line got with its quantities as JSON numbers."""
    return {**entry, **{name: orjson.Fragment(entry[name]) for name in _QUANTITIES}}


def _read_path(path: str) -> _Target:
    group = next((name for name in GROUPS if path.startswith(f"/api/{name}/")), None)
    if group is None:
        raise Refusal(404, ErpError.NOT_FOUND, f"Resource not found for {path}")
    segments = [_SEGMENT.fullmatch(part) for part in path.removeprefix(f"/api/{group}/").strip("/").split("/")]
    first, place, action = (*segments, None, None)[:3]
    if None in segments or first is None or len(segments) > 3:
        raise Refusal(404, ErpError.NOT_FOUND, f"Resource not found for {path}")
    if first["name"] != "companies":
        raise Refusal(400, ErpError.BAD_REQUEST, "The company is missing: companies(<id>)/...")
    if first["key"] not in (None, COMPANY) or (place is not None and first["key"] is None):
        raise Refusal(404, ErpError.NO_RECORD, f"The company {first['key']} does not exist")
    if place is None:
        return _Target(find_set(STANDARD, "companies"), first["key"], None)
    entity_set = find_set(group, place["name"])
    if action is None:
        return _Target(entity_set, place["key"], None)
    if place["key"] is None or action["key"] is not None or not action["name"].startswith(_ACTION):
        raise Refusal(404, ErpError.NOT_FOUND, f"Resource not found for {path}")
    return _Target(entity_set, place["key"], action["name"].removeprefix(_ACTION))
