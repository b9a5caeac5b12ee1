"""What can be done with sales orders: create, change, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sandbox.erp_book.allocation import give_back
from sandbox.erp_book.codes import CANCELLED, COMPLETED, BadField, ErpError
from sandbox.erp_book.order_entry import read_date, read_document, read_text
from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal, utc_text

__all__ = ["Documents", "check_version"]

_CHANGEABLE = {"requestedDeliveryDate": read_date, "promisedDeliveryDate": read_date, "poNumber": read_text}


class Documents:
    """Sales orders of one sandbox."""

    def __init__(self, host: Host) -> None:
        self._store = host.store
        self._clock = host.clock

    def create(self, body: Mapping[str, Any], lines: object, *, released: bool) -> str:
        """Create an order with its lines and return its id; without ``released`` it is a draft.

        Raises:
            Refusal: a field is missing or wrong, or a document with this external document number exists.
        """
        with self._store.transaction():
            made = read_document(self._store, body, lines, self._clock.now(), released=released)
            self._insert("orders", made.order)
            for line in made.lines:
                self._insert("order_lines", line)
        return str(made.order["id"])

    def change(self, document_id: str, body: Mapping[str, Any], version: int | None) -> None:
        """Change fields of an order that has this version, or any when it is None.

        Raises:
            Refusal: 409 when it has changed since, 400 for a field that cannot be changed or an order that is closed.
        """
        wrong = sorted(set(body) - set(_CHANGEABLE))
        if wrong:
            raise BadField(ErpError.FIELD, f"The field {wrong[0]} cannot be changed", wrong[0])
        with self._store.transaction():
            row = self._row(document_id)
            check_version(row, version)
            if row["status"] in (COMPLETED, CANCELLED):
                raise Refusal(400, ErpError.NOT_OPEN, f"The order {row['number']} is {row['status']}")
            for name, value in {name: _CHANGEABLE[name](body, name) for name in body}.items():
                self._store.execute(f"UPDATE orders SET {name} = ? WHERE id = ?", (value, document_id))  # noqa: S608 - one of ours
            self._touch(document_id)

    def cancel(self, document_id: str, version: int | None = None) -> None:
        """Cancel an order and give back what it holds; cancelling twice changes nothing.

        Raises:
            Refusal: 409 when it has changed since, 400 when something was shipped.
        """
        with self._store.transaction():
            row = self._row(document_id)
            if row["status"] == CANCELLED:
                return
            check_version(row, version)
            if row["status"] == COMPLETED:
                raise Refusal(400, ErpError.NOT_OPEN, f"The order {row['number']} is {row['status']}")
            for line in self._store.query("SELECT * FROM order_lines WHERE documentId = ?", (document_id,)):
                if Decimal(line["shipped"]) > 0:
                    raise Refusal(400, ErpError.SHIPPED, f"The order {row['number']} has shipped lines")
                give_back(self._store, line, Decimal(line["allocated"]))
            self._store.execute(
                "UPDATE order_lines SET allocated = '0', backordered = '0', cancelled = quantity WHERE documentId = ?",
                (document_id,),
            )
            self._store.execute("DELETE FROM allocations WHERE documentId = ?", (document_id,))
            self._store.execute("UPDATE orders SET status = ? WHERE id = ?", (CANCELLED, document_id))
            self._touch(document_id)

    def _row(self, document_id: str) -> Mapping[str, Any]:
        row = self._store.one("SELECT * FROM orders WHERE id = ?", (document_id,))
        if row is None:
            raise Refusal(404, ErpError.NO_RECORD, f"The sales order {document_id} does not exist")
        return dict(row)

    def _touch(self, document_id: str) -> None:
        self._store.execute(
            "UPDATE orders SET version = version + 1, lastModifiedDateTime = ? WHERE id = ?",
            (utc_text(self._clock.now()), document_id),
        )

    def _insert(self, table: str, row: Mapping[str, Any]) -> None:
        names = ", ".join(f":{name}" for name in row)
        self._store.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({names})", dict(row))  # noqa: S608 - names are ours


def check_version(row: Mapping[str, Any], version: int | None) -> None:
    """Check that a row has this version; None takes any.

    Raises:
        Refusal: 409 when the row has changed since.
    """
    if version not in (None, row["version"]):
        raise Refusal(409, ErpError.CHANGED, "Another user has already changed the record. Read it again.")
