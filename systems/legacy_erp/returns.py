"""Returns: reading them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schema.enums import ReturnStatus
from schema.records.orders import Return, ReturnLine
from schema.records.returns import return_id
from schema.records.values import Quantity
from systems.legacy_erp.fields import (
    QUANTITY,
    Record,
    read_amount,
    read_count,
    read_moment,
    read_money,
    read_text,
    read_word,
    text_or_none,
)
from systems.legacy_erp.invoices import own_numbers
from systems.legacy_erp.programs import Programs

__all__ = ["Returns", "read_return"]

_STATUS = {
    "RQ": ReturnStatus.REQUESTED,
    "AP": ReturnStatus.APPROVED,
    "DN": ReturnStatus.DENIED,
    "IT": ReturnStatus.IN_TRANSIT,
    "RC": ReturnStatus.RECEIVED,
    "IN": ReturnStatus.INSPECTED,
    "CR": ReturnStatus.CREDITED,
    "RP": ReturnStatus.REPLACED,
    "CL": ReturnStatus.CLOSED,
    "CN": ReturnStatus.CANCELLED,
}


class Returns:
    """:class:`systems.ports.ReturnBook`."""

    _programs: Programs

    async def returns(self, ids: Sequence[str]) -> Mapping[str, Return]:
        """Return RMAs by platform id."""
        found = await self._programs.by_keys(
            "returns", "RMAINQ", ("RMANO", own_numbers(ids, return_id(""))), read_return
        )
        return {entry.id: entry for entry in found}

    async def returns_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        """Return RMAs per order, oldest first."""
        found: dict[str, list[Return]] = {order_id: [] for order_id in order_ids}
        for entry in await self._programs.by_keys("returns of orders", "RMAINQ", ("ORDX", found), read_return):
            found[entry.order_id].append(entry)
        return {order_id: tuple(entries) for order_id, entries in found.items()}

    async def returns_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        """Return RMAs per account, newest first."""
        found: dict[str, list[Return]] = {account_id: [] for account_id in account_ids}
        for entry in await self._programs.by_keys("returns of accounts", "RMAINQ", ("CUSX", found), read_return):
            found[entry.account_id].append(entry)
        return {account_id: tuple(reversed(entries)) for account_id, entries in found.items()}


def read_return(record: Record) -> Return:
    """Return an RMA."""
    number, created = read_text(record, "RMANO"), read_moment(record, "ENT")
    if created is None:
        raise ValueError(f"return {number} has no time of entry")
    return Return(
        id=return_id(number),
        rma_number=number,
        account_id=read_text(record, "CUXREF"),
        order_id=read_text(record, "ORXREF"),
        status=read_word("return status", record, "RTSTS", _STATUS),
        lines=tuple(_return_line(line) for line in record["LINS"]),
        credit=read_money(record, "CRDAM", read_text(record, "CURCD")) if "CRDAM" in record else None,
        created_at=created,
    )


def _return_line(line: Record) -> ReturnLine:
    return ReturnLine(
        line_no=read_count(line, "LINNO"),
        sku=read_text(line, "ITMNO"),
        quantity=Quantity(read_amount(line, "RTNQT", QUANTITY), read_text(line, "UOM")),
        reason=read_text(line, "RSNCD"),
        disposition=text_or_none(line, "DSPCD"),
    )
