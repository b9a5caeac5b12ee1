"""Invoices and returns of the ERP, beside its orders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from processes.journal import read, write
from schema.enums import ReturnStatus
from schema.records.invoices import LoggedPosting, PostedInvoice, Rebilling
from schema.records.orders import ErpOrder, Invoice, Return, ReturnLine
from schema.records.returns import NewReturn, return_id
from schema.records.values import Money
from tests.support.fake_systems.erp_orders import FakeOrders
from tests.support.fake_systems.rows import per_account, per_order
from tests.support.fake_systems.script import Kept, Script


class FakeAccounting(FakeOrders):
    """Invoices and returns of the ERP, beside its orders."""

    def __init__(self, script: Script, kept: Kept) -> None:
        super().__init__(script, kept)
        self.invoices_by_id: dict[str, Invoice] = {}
        self.postings: list[LoggedPosting] = []
        self.returns_by_id: dict[str, Return] = {}

    async def invoices(self, ids: Sequence[str]) -> Mapping[str, Invoice]:
        await self.script.enter(self.system, "invoices")
        return {entry: self.invoices_by_id[entry] for entry in ids if entry in self.invoices_by_id}

    async def invoices_of(self, account_ids: Sequence[str], limit: int) -> Mapping[str, tuple[Invoice, ...]]:
        await self.script.enter(self.system, "invoices_of")
        found = per_account(self.invoices_by_id, account_ids)
        return {name: tuple(reversed(entries))[:limit] for name, entries in found.items()}

    async def invoices_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Invoice, ...]]:
        await self.script.enter(self.system, "invoices_of_orders")
        return per_order(self.invoices_by_id, order_ids)

    async def posted_after(self, entry: int, limit: int) -> tuple[LoggedPosting, ...]:
        await self.script.enter(self.system, "posted_after")
        return tuple(posted for posted in self.postings if posted.entry > entry)[:limit]

    async def orders(self, ids: Sequence[str]) -> Mapping[str, ErpOrder]:
        """Return orders; what a credited invoice billed is not invoiced until it is billed anew."""
        found = await super().orders(ids)
        numbers = {f"inv:{number}:rebill": number for number in self.kept.all("credit memo")}
        credited = [number for key, number in numbers.items() if not self.kept.all("rebilling", key)]
        known = [posted.invoice for posted in self.postings if isinstance(posted, PostedInvoice)]
        open_ = {invoice.order_id for invoice in known if invoice.number in credited}
        return {name: _not_invoiced(entry) if name in open_ else entry for name, entry in found.items()}

    async def credit_invoice(self, key: str, number: str) -> str:
        await self.script.enter(self.system, "credit_invoice")
        if not self.kept.all("credit memo", key):
            self.kept.put("credit memo", key, number)
        await self.script.leave("credit_invoice")
        return f"SC-{number.removeprefix('SI-')}"

    async def take_credit_back(self, key: str, number: str) -> None:
        await self.script.enter(self.system, "take_credit_back")
        self.kept.drop("credit memo", key)
        await self.script.leave("take_credit_back")

    async def find_rebilling(self, key: str) -> str | None:
        await self.script.enter(self.system, "find_rebilling")
        return next(iter(self.kept.all("rebilling", key)), None)

    async def bill_anew(self, rebilling: Rebilling) -> str:
        await self.script.enter(self.system, "bill_anew")
        if not self.kept.all("rebilling", rebilling.key):
            entry = 1 + max(posted.entry for posted in self.postings)
            self.kept.put("rebilling", rebilling.key, f"SI-{entry}")
            self.postings.append(self._billed(entry, rebilling))
        await self.script.leave("bill_anew")
        return self.kept.all("rebilling", rebilling.key)[0]

    def _billed(self, entry: int, rebilling: Rebilling) -> PostedInvoice:
        known = [posted for posted in self.postings if isinstance(posted, PostedInvoice)]
        wrong = next(posted for posted in known if posted.invoice.number == rebilling.number)
        amounts = [*(line.net.amount for line in rebilling.lines), rebilling.tax.amount, rebilling.freight.amount]
        total = Money(sum(amounts, Decimal(0)), wrong.invoice.total.currency)
        invoice = replace(wrong.invoice, id=f"inv_SI-{entry}", number=f"SI-{entry}", total=total, balance=total)
        return PostedInvoice(entry, invoice, rebilling.tax, rebilling.freight, rebilling.lines)

    async def returns(self, ids: Sequence[str]) -> Mapping[str, Return]:
        await self.script.enter(self.system, "returns")
        return {entry.id: entry for entry in self._returns().values() if entry.id in ids}

    async def returns_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        await self.script.enter(self.system, "returns_of")
        found = per_account(self._returns(), account_ids)
        return {name: tuple(reversed(entries)) for name, entries in found.items()}

    async def returns_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        await self.script.enter(self.system, "returns_of_orders")
        return per_order(self._returns(), order_ids)

    def _returns(self) -> dict[str, Return]:
        made = [read(Return, json.loads(body)) for body in self.kept.all("rma")]
        return {**self.returns_by_id, **{entry.id: entry for entry in made}}

    async def create_return(self, new: NewReturn) -> Return:
        await self.script.enter(self.system, "create_return")
        if not self.kept.all("rma", new.rma_number):
            document = self.document(f"or:{new.order_id}:erp")
            account_id = "acc_1" if document is None else document.account_id
            at = datetime.now(UTC)
            made = Return(
                return_id(new.rma_number), new.rma_number, account_id, new.order_id, ReturnStatus.APPROVED,
                new.lines, None, at,
            )  # fmt: skip
            self._keep_return(made)
        await self.script.leave("create_return")
        return self._returns()[return_id(new.rma_number)]

    async def cancel_return(self, number: str) -> None:
        await self.script.enter(self.system, "cancel_return")
        found = self._returns().get(return_id(number))
        if found is not None:
            self._keep_return(replace(found, status=ReturnStatus.CANCELLED))

    async def receive_return(self, key: str, number: str, lines: tuple[ReturnLine, ...]) -> None:
        await self.script.enter(self.system, "receive_return")
        if not self.kept.all("rma_key", key):
            self.kept.put("rma_key", key, number)
            found = self._returns()[return_id(number)]
            self._keep_return(replace(found, status=ReturnStatus.INSPECTED, lines=lines))
        await self.script.leave("receive_return")

    async def credit_return(self, key: str, number: str) -> Money:
        await self.script.enter(self.system, "credit_return")
        found = self._returns()[return_id(number)]
        if not self.kept.all("rma_key", key):
            self.kept.put("rma_key", key, number)
            total = sum((line.quantity.value for line in found.lines), Decimal(0))
            found = replace(found, status=ReturnStatus.CREDITED, credit=Money(total * Decimal("36.10"), "USD"))
            self._keep_return(found)
        await self.script.leave("credit_return")
        assert found.credit is not None
        return found.credit

    async def replace_return(self, key: str, number: str) -> None:
        await self.script.enter(self.system, "replace_return")
        if not self.kept.all("rma_key", key):
            self.kept.put("rma_key", key, number)
            self._keep_return(replace(self._returns()[return_id(number)], status=ReturnStatus.REPLACED))
        await self.script.leave("replace_return")

    def _keep_return(self, entry: Return) -> None:
        self.kept.drop("rma", entry.rma_number)
        self.kept.put("rma", entry.rma_number, json.dumps(write(entry)))


def _not_invoiced(order: ErpOrder) -> ErpOrder:
    return replace(order, lines=tuple(replace(line, invoiced=Decimal(0)) for line in order.lines))
