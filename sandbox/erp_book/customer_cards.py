"""Customer cards: what the ERP checks of a new customer with its delivery places, and what can be changed of one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sandbox.erp_book.codes import BadField, ErpError
from sandbox.erp_book.documents import check_version
from sandbox.erp_book.numbers import next_free
from sandbox.erp_book.order_entry import MAX_AMOUNT, read_date, read_text
from sandbox.erp_book.price_lines import PriceLines
from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal, utc_text

__all__ = ["BLOCKS", "CustomerCards", "tax_numbers"]

BLOCKS = ("", "Ship", "Invoice", "All")
"""What a customer may be blocked for."""

MAX_PLACES = 200
"""Delivery places of one customer card."""

_COUNTRY = re.compile(r"[A-Z]{2}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_REQUIRED = ("crossdockId", "displayName", "addressLine1", "city", "country", "postalCode", "currencyCode")
_PLACE_REQUIRED = ("crossdockId", "code", "line1", "city", "postalCode", "country")
_TEXTS = ("displayName", "addressLine1", "city", "state", "country", "postalCode", "paymentTermsCode")
_CHANGEABLE = ("customerPriceGroup", *_TEXTS)
_PLAIN = re.compile(r"[^0-9A-Z]")


def tax_numbers(registrations: Sequence[Mapping[str, Any]]) -> str:
    """Return the numbers of tax registrations in capitals without marks, each between blanks, to search in."""
    return "".join(f" {_PLAIN.sub('', str(entry['number']).upper())}" for entry in registrations) + " "


class CustomerCards:
    """Customers of one sandbox."""

    def __init__(self, host: Host) -> None:
        self._store = host.store
        self._clock = host.clock
        self._prices = PriceLines(host)

    def create(self, body: Mapping[str, Any]) -> str:
        """Create a customer with its delivery places and return its id; without a number it gets the next one.

        Raises:
            Refusal: a field is missing or wrong, or there is a customer or place with this ``crossdockId``.
        """
        _require(body, _REQUIRED, "")
        account_id = read_text(body, "crossdockId")
        if self._store.one("SELECT 1 FROM customers WHERE crossdockId = ?", (account_id,)) is not None:
            message = f"A customer with crossdockId {account_id} exists already"
            raise BadField(ErpError.SAME_KEY, message, "crossdockId")
        row = {name: read_text(body, name) for name in ("crossdockId", *_CHANGEABLE)}
        row |= self._checked(body) | {
            "id": str(uuid4()),
            "number": read_text(body, "number") or next_free(self._store, "customer", "C-", "customers"),
            "currencyCode": _matching(body, "currencyCode", _CURRENCY),
            "country": _matching(body, "country", _COUNTRY),
            **dict.fromkeys(("openReceivables", "overdue"), "0.00"),
            **dict.fromkeys(("maxDaysPastDue", "creditTolerancePercent", "onHold"), 0),
            "lastModifiedDateTime": utc_text(self._clock.now()),
        }
        row.setdefault("blocked", "")
        registrations = _registrations(body)
        row |= {"taxRegistrations": json.dumps(registrations), "taxNumbers": tax_numbers(registrations)}
        self._insert("customers", row)
        places = body.get("shipToAddresses", [])
        if not isinstance(places, list) or len(places) > MAX_PLACES:
            message = f"shipToAddresses must be a list of at most {MAX_PLACES} places"
            raise BadField(ErpError.FIELD, message, "shipToAddresses")
        for place, entry in enumerate(places):
            self._insert("ship_tos", self._place(entry, account_id, f"shipToAddresses/{place}/"))
        return str(row["id"])

    def change(self, customer_id: str, body: Mapping[str, Any], version: int | None) -> None:
        """Change fields of a customer that has this version, or any when it is None.

        Raises:
            Refusal: 404 for nobody, 409 when it has changed since, 400 for a field that cannot be changed or a value
                that it cannot have.
        """
        wrong = sorted(set(body) - {"blocked", "creditLimit", *_CHANGEABLE})
        if wrong:
            raise BadField(ErpError.FIELD, f"The field {wrong[0]} cannot be changed", wrong[0])
        row = self._store.one("SELECT * FROM customers WHERE id = ?", (customer_id,))
        if row is None:
            raise Refusal(404, ErpError.NO_RECORD, f"The customer {customer_id} does not exist")
        check_version(dict(row), version)
        changed = {name: read_text(body, name) for name in _CHANGEABLE if name in body} | self._checked(body)
        columns = "".join(f"{name} = :{name}, " for name in changed)
        self._store.execute(
            f"UPDATE customers SET {columns}version = version + 1, lastModifiedDateTime = :now WHERE id = :id",  # noqa: S608 - names are ours
            {**changed, "now": utc_text(self._clock.now()), "id": customer_id},
        )
        if "customerPriceGroup" in changed:
            self._prices.log_group(row["crossdockId"], row["customerPriceGroup"], changed["customerPriceGroup"])

    def _checked(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return block and credit limit where they are given."""
        found: dict[str, Any] = {}
        if "blocked" in body:
            if body["blocked"] not in BLOCKS:
                raise BadField(ErpError.FIELD, f"blocked must be one of {', '.join(map(repr, BLOCKS))}", "blocked")
            found["blocked"] = body["blocked"]
        if "creditLimit" in body:
            limit = body["creditLimit"]
            is_amount = isinstance(limit, int | Decimal) and not isinstance(limit, bool) and 0 <= limit <= MAX_AMOUNT
            if limit is not None and not is_amount:
                raise BadField(ErpError.FIELD, "creditLimit must be an amount from zero on, or null", "creditLimit")
            found["creditLimit"] = None if limit is None else format(Decimal(limit), "f")
        return found

    def _place(self, entry: object, account_id: str | None, target: str) -> dict[str, Any]:
        if not isinstance(entry, Mapping):
            raise BadField(ErpError.FIELD, "A delivery place must be an object", target.rstrip("/"))
        _require(entry, _PLACE_REQUIRED, target)
        texts = ("crossdockId", "code", "line1", "city", "state", "postalCode", "gln", "taxJurisdiction")
        row: dict[str, Any] = {name: read_text(entry, name) for name in texts}
        if self._store.one("SELECT 1 FROM ship_tos WHERE crossdockId = ?", (row["crossdockId"],)) is not None:
            message = f"A delivery place with crossdockId {row['crossdockId']} exists already"
            raise BadField(ErpError.SAME_KEY, message, f"{target}crossdockId")
        country = _matching(entry, "country", _COUNTRY, target)
        return row | {
            "id": str(uuid4()),
            "accountId": account_id,
            "country": country,
            "deliveryDays": "[]",
            "active": 1,
        }

    def _insert(self, table: str, row: Mapping[str, Any]) -> None:
        names = ", ".join(f":{name}" for name in row)
        self._store.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({names})", dict(row))  # noqa: S608 - names are ours


def _require(body: Mapping[str, Any], names: Sequence[str], target: str) -> None:
    for name in names:
        if read_text(body, name) is None:
            raise BadField(ErpError.NOT_PROVIDED, f"{name} is required", f"{target}{name}")


def _matching(body: Mapping[str, Any], name: str, pattern: re.Pattern[str], target: str = "") -> str:
    text = read_text(body, name) or ""
    if not pattern.fullmatch(text):
        raise BadField(ErpError.FIELD, f"{name} {text!r} is not a code", f"{target}{name}")
    return text


def _registrations(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = body.get("taxRegistrations")
    if given is None:
        return []
    if not isinstance(given, list):
        raise BadField(ErpError.FIELD, "taxRegistrations must be a list", "taxRegistrations")
    found: list[dict[str, Any]] = []
    for place, entry in enumerate(given):
        target = f"taxRegistrations/{place}/"
        if not isinstance(entry, Mapping):
            raise BadField(ErpError.FIELD, "A tax registration must be an object", target.rstrip("/"))
        _require(entry, ("kind", "number", "jurisdiction"), target)
        found.append(
            {
                "kind": read_text(entry, "kind"),
                "number": read_text(entry, "number"),
                "jurisdiction": read_text(entry, "jurisdiction"),
                "exempt": entry.get("exempt") is True,
                "certificateExpires": read_date(entry, "certificateExpires"),
                "verifiedAt": read_text(entry, "verifiedAt"),
            }
        )
    return found
