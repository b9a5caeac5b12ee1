"""Invoices and returns: those of an order are where the order is, those of an account in each of its ERPs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from schema.enums import SourceSystem
from schema.records.invoices import Rebilling
from schema.records.orders import Invoice, Return, ReturnLine
from schema.records.returns import NewReturn, return_id
from schema.records.values import Money
from systems.erp_homes import Capability
from systems.erp_routing.route import AnyErp, Route
from systems.errors import NotFound

__all__ = ["Invoices", "Returns"]

_INVOICE = "invoice"
_RETURN = "return"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Invoices:
    """:class:`systems.ports.InvoiceBook` and :class:`systems.ports.InvoiceCorrections`."""

    _route: Route

    async def invoices(self, ids: Sequence[str]) -> Mapping[str, Invoice]:
        """Return invoices by platform id."""
        return await self._route.by_key("invoices", _INVOICE, ids, lambda erp, asked: erp.invoices(asked))

    async def invoices_of(self, account_ids: Sequence[str], limit: int) -> Mapping[str, tuple[Invoice, ...]]:
        """Return each account's newest invoices, at most ``limit`` per account."""
        return await self._route.by_account(
            "invoices of accounts",
            Capability.DOCUMENTS,
            account_ids,
            lambda erp, ids: erp.invoices_of(ids, limit),
            lambda parts: _newest_invoices([invoice for part in parts for invoice in part])[:limit],
        )

    async def invoices_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Invoice, ...]]:
        """Return invoices per order, oldest first."""
        return await self._route.by_order(
            "invoices of orders", order_ids, lambda erp, asked: erp.invoices_of_orders(asked)
        )

    async def credit_invoice(self, key: str, number: str) -> str:
        """Credit a posted invoice as a whole, once per ``key``, and return the number of the credit memo.

        Raises:
            NotFound: no ERP has posted such an invoice.
        """
        return await (await self._of_invoice("credit invoice", number)).credit_invoice(key, number)

    async def take_credit_back(self, key: str, number: str) -> None:
        """Have an invoice stand again that ``credit_invoice`` credited with this key; else nothing happens."""
        await (await self._of_invoice("take credit back", number)).take_credit_back(key, number)

    async def find_rebilling(self, key: str) -> str | None:
        """Return the number of the invoice that ``bill_anew`` made with this key, None when it made none.

        Raises:
            ConnectorError: an ERP does not answer that may have made it.
        """
        for erp in self._route.erps.values():
            found = await erp.find_rebilling(key)
            if found is not None:
                return found
        return None

    async def bill_anew(self, rebilling: Rebilling) -> str:
        """Bill what a credited invoice should have, once per key, and return the number of the new invoice.

        Raises:
            NotFound: no ERP has posted such an invoice.
        """
        return await (await self._of_invoice("bill anew", rebilling.number)).bill_anew(rebilling)

    async def _of_invoice(self, operation: str, number: str) -> AnyErp:
        invoice_id = f"inv_{number}"
        if self._route.place(_INVOICE, invoice_id) is None:
            await self.invoices([invoice_id])
        system = self._route.place(_INVOICE, invoice_id)
        if system is None:
            raise NotFound(SourceSystem.CLOUD_ERP, operation, f"no ERP has posted an invoice {number}")
        return self._route.erps[system]


class Returns:
    """:class:`systems.ports.ReturnBook` and :class:`systems.ports.ReturnDesk`."""

    _route: Route

    async def returns(self, ids: Sequence[str]) -> Mapping[str, Return]:
        """Return RMAs by platform id."""
        return await self._route.by_key("returns", _RETURN, ids, lambda erp, asked: erp.returns(asked))

    async def returns_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        """Return RMAs per order, oldest first."""
        return await self._route.by_order(
            "returns of orders", order_ids, lambda erp, asked: erp.returns_of_orders(asked)
        )

    async def returns_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        """Return RMAs per account, newest first."""
        return await self._route.by_account(
            "returns of accounts",
            Capability.DOCUMENTS,
            account_ids,
            lambda erp, ids: erp.returns_of(ids),
            lambda parts: _newest_returns([back for part in parts for back in part]),
        )

    async def create_return(self, new: NewReturn) -> Return:
        """Create a released return in the ERP of its order, or return the one that its key created before.

        Raises:
            NotFound: no ERP has the order.
        """
        system = (await self._route.order_places([new.order_id])).get(new.order_id)
        if system is None:
            found = await self._route.by_order("create return", [new.order_id], lambda erp, ids: erp.orders(ids))
            if new.order_id not in found:
                said = f"no ERP has a document of the order {new.order_id}"
                raise NotFound(SourceSystem.CLOUD_ERP, "create return", said)
            system = found[new.order_id].home_erp
        made = await self._route.erps[system].create_return(new)
        self._route.remember(_RETURN, made.id, system)
        return made

    async def cancel_return(self, number: str) -> None:
        """Cancel a return of which nothing has come back; nothing happens when there is none."""
        erp = await self._of_return(number)
        if erp is not None:
            await erp.cancel_return(number)

    async def receive_return(self, key: str, number: str, lines: tuple[ReturnLine, ...]) -> None:
        """Note what came back and where it goes."""
        await (await self._known("receive return", number)).receive_return(key, number, lines)

    async def credit_return(self, key: str, number: str) -> Money:
        """Credit what came back, and return how much that is."""
        return await (await self._known("credit return", number)).credit_return(key, number)

    async def replace_return(self, key: str, number: str) -> None:
        """Close a return without a credit, because an order replaces what came back."""
        await (await self._known("replace return", number)).replace_return(key, number)

    async def _known(self, operation: str, number: str) -> AnyErp:
        erp = await self._of_return(number)
        if erp is None:
            raise NotFound(SourceSystem.CLOUD_ERP, operation, f"no ERP has a return {number}")
        return erp

    async def _of_return(self, number: str) -> AnyErp | None:
        key = return_id(number)
        if self._route.place(_RETURN, key) is None:
            await self.returns([key])
        system = self._route.place(_RETURN, key)
        return None if system is None else self._route.erps[system]


def _newest_invoices(invoices: Sequence[Invoice]) -> tuple[Invoice, ...]:
    return tuple(sorted(invoices, key=lambda entry: (entry.posted_at or _EPOCH, entry.id), reverse=True))


def _newest_returns(returns: Sequence[Return]) -> tuple[Return, ...]:
    return tuple(sorted(returns, key=lambda entry: (entry.created_at, entry.id), reverse=True))
