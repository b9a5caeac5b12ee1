"""Programs that read: records by keys, the newest per customer, lists, prices, rates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.erp_book.codes import BadField, ErpError
from sandbox.kit.rest import marks
from sandbox.kit.store import Store
from sandbox.legacy_erp.fields import NO_END, day_of, stamp_text
from sandbox.legacy_erp.records import Record, Row, show
from sandbox.legacy_erp.words import ORDER

__all__ = ["MAX_KEYS", "MAX_RECORDS", "PROGRAMS", "Answer", "read_keys", "read_number", "read_word"]

MAX_KEYS = 50
"""Keys that a program takes at once."""

MAX_RECORDS = 1_000
"""Records of one answer; ``NEXT`` is where the following ones begin."""

MAX_NEWEST = 200
"""Records that a program shows of each customer, or of a list."""

MAX_START = 1_000_000
"""Records that can be passed over."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Records of an answer; ``next`` is where more of them begin, 0 when there are none."""

    records: Sequence[Record] = ()
    next: int = 0


@dataclass(frozen=True, slots=True)
class _Lookup:
    """A program that finds rows of a table by keys; ``by`` says which column each kind of key is in."""

    table: str
    by: Mapping[str, str]
    order: str
    only: str = "1 = 1"

    def __call__(self, store: Store, body: Mapping[str, Any]) -> Answer:
        column = self.by[read_word(body, "BY", self.by)]
        keys = read_keys(body, "KEYS")
        where = f"{self.only} AND {column} IN ({marks(keys)})"
        return _page(store, body, self.table, where, keys, self.order)


def _page(store: Store, body: Mapping[str, Any], table: str, where: str, params: Sequence[Any], order: str) -> Answer:
    start = read_number(body, "START", MAX_START, 0)
    rows = store.query(
        f"SELECT * FROM {table} WHERE {where} ORDER BY {order} LIMIT {MAX_RECORDS + 1} OFFSET {start}",  # noqa: S608 - names are ours
        params,
    )
    return _answer(store, table, rows, start)


def _answer(store: Store, table: str, rows: Sequence[Row], start: int) -> Answer:
    more = start + MAX_RECORDS if len(rows) > MAX_RECORDS else 0
    return Answer(show(store, table, rows[:MAX_RECORDS]), more)


def _newest_orders(store: Store, body: Mapping[str, Any]) -> Answer:
    where, params = _order_filter(body)
    return _newest(store, body, ("orders", where, params, "submittedAt DESC, orderId DESC"))


def _newest_invoices(store: Store, body: Mapping[str, Any]) -> Answer:
    return _newest(store, body, ("invoices", "1 = 1", [], "postedAt DESC, number DESC"))


def _newest(store: Store, body: Mapping[str, Any], of: tuple[str, str, list[Any], str]) -> Answer:
    """Return the newest rows of each customer, customer by customer."""
    table, where, params, order = of
    limit, start = read_number(body, "LIMIT", MAX_NEWEST, 1), read_number(body, "START", MAX_START, 0)
    sql = f"SELECT * FROM {table} WHERE accountId = ? AND {where} ORDER BY {order} LIMIT {limit}"  # noqa: S608 - names are ours
    rows = [row for key in read_keys(body, "KEYS") for row in store.query(sql, (key, *params))]
    return _answer(store, table, rows[start : start + MAX_RECORDS + 1], start)


def _list_orders(store: Store, body: Mapping[str, Any]) -> Answer:
    where, params = _order_filter(body)
    limit = read_number(body, "LIMIT", MAX_NEWEST, 1)
    sql = f"SELECT * FROM orders WHERE {where} ORDER BY submittedAt DESC, orderId DESC LIMIT {limit}"  # noqa: S608 - names are ours
    return Answer(show(store, "orders", store.query(sql, params)))


def _order_filter(body: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Return the condition of orders that other systems know, and its values."""
    conditions, params = ["orderId IS NOT NULL"], []
    if "STSS" in body:
        words = {code: word for word, code in ORDER.items()}
        wanted = [words.get(code, "") for code in read_keys(body, "STSS")]
        conditions.append(f"status IN ({marks(wanted)})")
        params += wanted
    if "PONO" in body:
        conditions.append("poNumber = ?")
        params.append(_text(body, "PONO"))
    for name, bound in (("FRM", ">="), ("UNT", "<")):
        if f"{name}DT" in body:
            conditions.append(f"submittedAt {bound} ?")
            params.append(stamp_text(body, name))
    if "BHDDT" in body:
        at = stamp_text(body, "BHD")
        conditions.append("(submittedAt < ? OR (submittedAt = ? AND orderId < ?))")
        params += [at, at, _text(body, "BHXREF")]
    return " AND ".join(conditions), params


def _prices(store: Store, body: Mapping[str, Any]) -> Answer:
    """Return price rows for items and of customers, groups or everybody; ``GENRL`` adds rows that name no item."""
    items = read_keys(body, "ITMS")
    what = [f"itemNumber IN ({marks(items)})"] + (["itemNumber IS NULL"] if body.get("GENRL") == "Y" else [])
    customers, groups = read_keys(body, "CUSS"), read_keys(body, "GRPS")
    whom = [
        f"(level = 'CONTRACT' AND accountId IN ({marks(customers)}))",
        f"(level = 'PRICE_GROUP' AND priceGroup IN ({marks(groups)}))",
    ] + (["level IN ('LIST', 'PROMOTION')"] if body.get("STNDD") == "Y" else [])
    where = f"({' OR '.join(what)}) AND ({' OR '.join(whom)})"
    return _page(store, body, "prices", where, [*items, *customers, *groups], "number, id")


def _price_group(store: Store, body: Mapping[str, Any]) -> Answer:
    group, currency = _text(body, "PRGRP"), _text(body, "CURCD")
    found = store.one(
        "SELECT count(*) AS known, coalesce(sum(currencyCode = ?), 0) AS fitting FROM prices WHERE priceGroup = ?",
        (currency, group),
    )
    if found is None or not found["known"]:
        return Answer()
    return Answer([{"PRGRP": group.ljust(10), "CURCD": currency, "HASPR": "Y" if found["fitting"] else "N"}])


def _rate(store: Store, body: Mapping[str, Any]) -> Answer:
    day = day_of(read_number(body, "ONDT", NO_END - 1, 0), "ONDT")
    rows = store.query(
        "SELECT * FROM exchange_rates WHERE fromCurrency = ? AND toCurrency = ? AND startingDate <= ? "
        "ORDER BY startingDate DESC LIMIT 1",
        (_text(body, "FRCUR"), _text(body, "TOCUR"), "" if day is None else day.isoformat()),
    )
    return Answer(show(store, "exchange_rates", rows))


def _tax_numbers(store: Store, body: Mapping[str, Any]) -> Answer:
    """Return which customers have one of these tax numbers, in capitals without marks."""
    sql = "SELECT crossdockId FROM customers WHERE instr(taxNumbers, ' ' || ? || ' ') ORDER BY number"
    return Answer(
        [
            {"CUXREF": row["crossdockId"].ljust(80), "TXNO": number.ljust(40)}
            for number in read_keys(body, "KEYS")
            for row in store.query(sql, (number,))
        ][:MAX_RECORDS]
    )


PROGRAMS: Mapping[str, Callable[[Store, Mapping[str, Any]], Answer]] = {
    "CUSINQ": _Lookup("customers", {"XREF": "crossdockId", "CUSNO": "number"}, "number"),
    "SHTINQ": _Lookup("ship_tos", {"XREF": "crossdockId", "CUSX": "accountId", "GLN": "gln"}, "code, id"),
    "TAXINQ": _tax_numbers,
    "PRCINQ": _prices,
    "AGRINQ": _Lookup("prices", {"CUSX": "accountId"}, "number, id", "level = 'CONTRACT'"),
    "GPRINQ": _Lookup("prices", {"PRGRP": "priceGroup"}, "number, id", "level = 'PRICE_GROUP'"),
    "PCHINQ": _Lookup("price_changes", {"ENTNO": "entryNo"}, "entryNo"),
    "PGRINQ": _price_group,
    "FXRINQ": _rate,
    "ORDINQ": _Lookup(
        "orders",
        {"XREF": "orderId", "ORDNO": "number", "EXTDC": "externalDocumentNumber"},
        "submittedAt, orderId",
        "orderId IS NOT NULL",
    ),
    "ORDNEW": _newest_orders,
    "ORDLST": _list_orders,
    "OPVINQ": _Lookup("open_order_values", {"CUSX": "accountId"}, "accountId"),
    "INVINQ": _Lookup("invoices", {"INVNO": "number", "ORDX": "orderId"}, "postedAt, number"),
    "INVNEW": _newest_invoices,
    "PSTINQ": _Lookup("posted_invoices", {"INVNO": "number"}, "entryNo"),
    "RBLINQ": _Lookup("rebillings", {"KEY": "key"}, "key"),
    "RMAINQ": _Lookup("returns", {"RMANO": "number", "ORDX": "orderId", "CUSX": "accountId"}, "createdAt, number"),
}
"""Programs by name."""


def read_keys(body: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of keys without the blanks at their ends; none is an empty list.

    Raises:
        BadField: it is no list of texts, or a longer one than a program takes.
    """
    given = body.get(name, [])
    if not isinstance(given, list) or len(given) > MAX_KEYS or not all(isinstance(key, str) for key in given):
        raise BadField(ErpError.BAD_REQUEST, f"{name} is a list of at most {MAX_KEYS} keys", name)
    return [key.rstrip() for key in given]


def read_word(body: Mapping[str, Any], name: str, words: Mapping[str, str]) -> str:
    """Return one of these words.

    Raises:
        BadField: it is another one.
    """
    given = str(body.get(name, "")).rstrip()
    if given not in words:
        raise BadField(ErpError.BAD_REQUEST, f"{name} is one of {', '.join(words)}", name)
    return given


def read_number(body: Mapping[str, Any], name: str, most: int, least: int) -> int:
    """Return a whole number, the least when it is left out.

    Raises:
        BadField: it is none between these bounds.
    """
    given = body.get(name, least)
    if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
        raise BadField(ErpError.BAD_REQUEST, f"{name} is a whole number from {least} to {most}", name)
    return given


def _text(body: Mapping[str, Any], name: str) -> str:
    return str(body.get(name, "")).rstrip()
