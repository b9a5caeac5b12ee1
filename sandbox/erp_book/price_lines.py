"""Lines of the price book as people keep them, and the log of what changes prices that others read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sandbox.erp_book.codes import BadField, ErpError
from sandbox.erp_book.documents import check_version
from sandbox.erp_book.order_entry import PRICE_DECIMALS, QUANTITY_DECIMALS, read_amount, read_date, read_text
from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal, utc_text

__all__ = ["CHANGEABLE", "PriceLines"]

LEVELS = ("LIST", "PROMOTION", "PRICE_GROUP", "CONTRACT")
"""Whom a line can be for."""

MAX_BREAKS = 50
"""Steps of one line."""

MAX_PRIORITY = 1_000_000
PERCENT_DECIMALS = 2

_HUNDRED = Decimal(100)
_WHOM = ("level", "currencyCode", "accountId", "priceGroup", "itemNumber", "categoryCode", "brand")
"""Fields that a line keeps for good: a line for others is another line."""

_FLAGS = ("inheritToChildren", "exclusive", "combinable", "graduated")
CHANGEABLE = ("unitPrice", "discountPercent", "breaks", "startingDate", "endingDate", "priority", *_FLAGS)
"""Fields that can be changed."""

_SHOWN = ", ".join(
    [f"'{name}', {name}" for name in ("id", "number", *_WHOM, "startingDate", "endingDate", "priority")]
    + [f"'{name}', json(coalesce({name}, 'null'))" for name in ("unitPrice", "discountPercent", "breaks")]
    + [f"'{name}', json(iif({name}, 'true', 'false'))" for name in _FLAGS]
)
_NAMED_BY = {"CONTRACT": "accountId", "PRICE_GROUP": "priceGroup"}


class PriceLines:
    """The price book of one sandbox. Methods belong into a transaction."""

    def __init__(self, host: Host) -> None:
        self._store = host.store
        self._clock = host.clock

    def create(self, body: Mapping[str, Any]) -> str:
        """Create a line and return its id.

        Raises:
            Refusal: a field is missing or wrong, or there is a line of this number.
        """
        for name in ("number", "level", "currencyCode", "startingDate"):
            if read_text(body, name) is None:
                raise BadField(ErpError.NOT_PROVIDED, f"{name} is required", name)
        row: dict[str, Any] = {"number": read_text(body, "number")}
        if self._store.one("SELECT 1 FROM prices WHERE number = ?", (row["number"],)) is not None:
            raise BadField(ErpError.SAME_KEY, f"A price with number {row['number']} exists already", "number")
        row |= {name: read_text(body, name) for name in _WHOM}
        if row["level"] not in LEVELS:
            raise BadField(ErpError.FIELD, f"level must be one of {', '.join(LEVELS)}", "level")
        named_by = _NAMED_BY.get(row["level"])
        for name in _NAMED_BY.values():
            if (row[name] is not None) != (name == named_by):
                raise BadField(ErpError.FIELD, f"{name} does not go with the level {row['level']}", name)
        row |= {"id": str(uuid4()), "unitPrice": None, "discountPercent": None, "breaks": "[]", "endingDate": None}
        row |= {"priority": 0, **dict.fromkeys(_FLAGS, 0)} | _changes(body)
        _check_whole(row)
        columns = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        self._store.execute(f"INSERT INTO prices ({columns}) VALUES ({values})", row)  # noqa: S608 - names are ours
        self._log(row["number"], "null", self._shown(row["id"]))
        return str(row["id"])

    def change(self, price_id: str, body: Mapping[str, Any], version: int | None) -> None:
        """Change fields of a line that has this version, or any when it is None.

        Raises:
            Refusal: 404 for no line, 409 when it has changed since, 400 for a field that
                cannot be changed or a value that it cannot have.
        """
        wrong = sorted(set(body) - set(CHANGEABLE))
        if wrong:
            raise BadField(ErpError.FIELD, f"The field {wrong[0]} cannot be changed", wrong[0])
        row = self._row(price_id, version)
        changed = _changes(body)
        _check_whole(row | changed)
        self._write(row, changed)

    def remove(self, price_id: str, version: int | None) -> None:
        """Remove a line that has this version, or any when it is None.

        Raises:
            Refusal: 404 for no line, 409 when it has changed since.
        """
        row = self._row(price_id, version)
        before = self._shown(price_id)
        self._store.execute("DELETE FROM prices WHERE id = ?", (price_id,))
        self._log(row["number"], before, "null")

    def give(self, price_ids: Sequence[str], account_id: str) -> None:
        """Have lines be those of another customer."""
        for price_id in price_ids:
            row = self._store.one("SELECT * FROM prices WHERE id = ?", (price_id,))
            if row is not None:
                self._write(dict(row), {"accountId": account_id})

    def to_carry(self, source: str, target: str) -> list[str]:
        """Return the contract lines of a customer that hold still, but for those where the other has one of its own."""
        today = self._clock.now().date().isoformat()
        sql = (
            "SELECT id FROM prices mine WHERE level = 'CONTRACT' AND accountId = :source "
            "AND coalesce(endingDate, :today) >= :today AND NOT EXISTS ("
            "SELECT 1 FROM prices theirs WHERE theirs.level = 'CONTRACT' AND theirs.accountId = :target "
            "AND theirs.currencyCode = mine.currencyCode AND theirs.itemNumber IS mine.itemNumber "
            "AND theirs.categoryCode IS mine.categoryCode AND theirs.brand IS mine.brand "
            "AND coalesce(theirs.endingDate, mine.startingDate) >= mine.startingDate "
            "AND coalesce(mine.endingDate, theirs.startingDate) >= theirs.startingDate) ORDER BY number"
        )
        rows = self._store.query(sql, {"source": source, "target": target, "today": today})
        return [row["id"] for row in rows]

    def log_group(self, account_id: str | None, before: str | None, after: str | None) -> None:
        """Log that a customer has changed its price group; nothing is logged of one that no other system knows."""
        if account_id is not None and before != after:
            self._store.execute(
                "INSERT INTO price_changes (id, changedAt, before, after, accountId, groupBefore, groupAfter) "
                "VALUES (?, ?, 'null', 'null', ?, ?, ?)",
                (str(uuid4()), utc_text(self._clock.now()), account_id, before, after),
            )

    def _write(self, row: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
        before = self._shown(row["id"])
        columns = "".join(f"{name} = :{name}, " for name in changed)
        self._store.execute(
            f"UPDATE prices SET {columns}version = version + 1 WHERE id = :id",  # noqa: S608 - names are ours
            {**changed, "id": row["id"]},
        )
        self._log(row["number"], before, self._shown(row["id"]))

    def _row(self, price_id: str, version: int | None) -> dict[str, Any]:
        found = self._store.one("SELECT * FROM prices WHERE id = ?", (price_id,))
        if found is None:
            raise Refusal(404, ErpError.NO_RECORD, f"The price {price_id} does not exist")
        check_version(dict(found), version)
        return dict(found)

    def _shown(self, price_id: str) -> str:
        """Return the JSON of a line as the log of changes keeps it."""
        found = self._store.one(f"SELECT json_object({_SHOWN}) AS shown FROM prices WHERE id = ?", (price_id,))  # noqa: S608 - names are ours
        return str(found["shown"]) if found is not None else "null"

    def _log(self, number: str, before: str, after: str) -> None:
        self._store.execute(
            "INSERT INTO price_changes (id, number, changedAt, before, after) VALUES (?, ?, ?, ?, ?)",
            (str(uuid4()), number, utc_text(self._clock.now()), before, after),
        )


def _changes(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that a body sets.

    Raises:
        Refusal: a value is none that its field can have.
    """
    found: dict[str, Any] = {name: read_date(body, name) for name in ("startingDate", "endingDate") if name in body}
    for name, decimals in (("unitPrice", PRICE_DECIMALS), ("discountPercent", PERCENT_DECIMALS)):
        if name in body:
            found[name] = None if body[name] is None else _amount(body, name, decimals, name)
    if "breaks" in body:
        found["breaks"] = _breaks(body["breaks"])
    if "priority" in body:
        priority = body["priority"]
        if not isinstance(priority, int) or isinstance(priority, bool) or not 0 <= priority <= MAX_PRIORITY:
            raise BadField(ErpError.FIELD, f"priority must be a whole number up to {MAX_PRIORITY}", "priority")
        found["priority"] = priority
    for name in _FLAGS:
        if name in body:
            if not isinstance(body[name], bool):
                raise BadField(ErpError.FIELD, f"{name} must be true or false", name)
            found[name] = int(body[name])
    return found


def _breaks(given: object) -> str:
    if not isinstance(given, list) or len(given) > MAX_BREAKS:
        raise BadField(ErpError.FIELD, f"breaks must be a list of at most {MAX_BREAKS} steps", "breaks")
    steps = []
    for place, step in enumerate(given):
        target = f"breaks/{place}"
        if not isinstance(step, Mapping):
            raise BadField(ErpError.FIELD, "A step must be an object", target)
        least = _amount(step, "minimumQuantity", QUANTITY_DECIMALS, f"{target}/minimumQuantity")
        unit = _amount(step, "unitPrice", PRICE_DECIMALS, f"{target}/unitPrice")
        steps.append(f'{{"minimumQuantity":{least},"unitPrice":{unit}}}')
    return f"[{','.join(steps)}]"


def _amount(body: Mapping[str, Any], name: str, decimals: int, target: str) -> str:
    amount = read_amount(body, name, decimals)
    if amount is None:
        raise BadField(ErpError.PRICE, f"{name} must be an amount with at most {decimals} decimals", target)
    return format(amount, "f")


def _check_whole(row: Mapping[str, Any]) -> None:
    """Check that a line gives one kind of price, for days that there are."""
    has_amounts = row["unitPrice"] is not None or bool(json.loads(row["breaks"]))
    if has_amounts == (row["discountPercent"] is not None):
        message = "A price has either unitPrice or breaks, or discountPercent"
        raise BadField(ErpError.PRICE, message, "unitPrice")
    if row["discountPercent"] is not None and Decimal(row["discountPercent"]) > _HUNDRED:
        raise BadField(ErpError.PRICE, "discountPercent must be at most 100", "discountPercent")
    if row["startingDate"] is None:
        raise BadField(ErpError.NOT_PROVIDED, "startingDate is required", "startingDate")
    if row["endingDate"] is not None and row["endingDate"] < row["startingDate"]:
        raise BadField(ErpError.FIELD, "endingDate is before startingDate", "endingDate")
