"""Customers that come to be in the ERP: traces of them, their cards, their billing, and merges of them.

The platform id of the account is the key of a card: the ERP has one card of it at most. Each write is one call of one
program that sets values or does its work once per key, so repeating it finds its effect done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schema.enums import SourceSystem
from schema.records.accounts import AccountValues, CustomerTerms, TaxRegistration
from schema.records.onboarding import BillingTerms, CustomerTrace, NewCustomer, NewShipTo
from schema.records.values import Address
from systems.erp_customers import NOT_BILLED, created, plain, traces_of
from systems.errors import Conflict, NotFound
from systems.legacy_erp.customers import BLOCKS, Customers
from systems.legacy_erp.fields import (
    MONEY,
    Record,
    date_number,
    implied,
    is_flag,
    moment_numbers,
    read_text,
    text_or_none,
)

__all__ = ["CustomerWrites"]

_BLOCK_CODES = {block: code for code, block in BLOCKS.items()}


class CustomerWrites(Customers):
    """:class:`systems.ports.CustomerRegistry`; the ERP of its customers is their finance system too."""

    async def traces(self, tax_numbers: Sequence[str], glns: Sequence[str]) -> tuple[CustomerTrace, ...]:
        """Return customers that have one of these tax numbers or GLNs; numbers are in capitals without marks."""
        wanted = map(plain, tax_numbers)
        numbers = await self._programs.by_keys("traces", "TAXINQ", ("TAXNO", wanted), _tax_number)
        return traces_of(numbers, await self._programs.by_keys("traces", "SHTINQ", ("GLN", glns), _gln))

    async def group_has_prices(self, price_group: str, currency: str) -> bool | None:
        """Return whether the group has prices in the currency, None when there is no such group."""
        question = {"PRGRP": price_group, "CURCD": currency}
        found = await self._programs.records("price group", "PGRINQ", question, lambda record: is_flag(record, "HASPR"))
        return found[0] if found else None

    async def create_customer(self, customer: NewCustomer) -> CustomerTerms:
        """Create a customer that is blocked for invoices, with its places, or return the one created before.

        Raises:
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
            Unavailable: with ``outcome_unknown`` when it may exist; repeating is safe.
        """
        conflict: Conflict | None = None
        try:
            await self._programs.run("create customer", "CUSENT", _card(customer))
        except Conflict as error:
            conflict = error
        found = (await self.terms([customer.account_id])).get(customer.account_id)
        return created(SourceSystem.LEGACY_ERP, customer.account_id, found, conflict)

    async def open_billing(self, account_id: str, billing: BillingTerms) -> None:
        """Set terms and limit of a customer and lift its block.

        Raises:
            NotFound: the ERP has no such customer.
        """
        limit = billing.credit_limit
        most = {"NOLIM": "Y"} if limit is None else {"CRLIM": implied(limit.amount, MONEY)}
        await self._change("open billing", account_id, {"TRMCD": billing.payment_terms, "BLKCD": "", **most})

    async def block_customer(self, account_id: str, blocked: str) -> None:
        """Block a customer for ``Ship``, ``Invoice`` or ``All``; nothing happens when there is none."""
        try:
            await self._change("block customer", account_id, {"BLKCD": _BLOCK_CODES[blocked]})
        except NotFound:
            return

    async def customer_values(self, account_ids: Sequence[str]) -> Mapping[str, AccountValues]:
        """Return terms and billing address by account id."""
        return dict(await self._programs.by_keys("customer values", "CUSINQ", ("XREF", account_ids), _values))

    async def change_customer(self, account_id: str, values: AccountValues) -> None:
        """Set payment terms and billing address where they are given.

        Raises:
            NotFound: the ERP has no such customer.
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
        """
        terms = {} if values.payment_terms is None else {"TRMCD": values.payment_terms}
        billing = {} if values.billing is None else _address(values.billing)
        await self._change("change customer", account_id, terms | billing)

    async def merge_customers(self, key: str, duplicate_id: str, survivor_id: str) -> None:
        """Give what is open of one customer to the other once per key, and block the one for everything.

        Raises:
            NotFound: the ERP has no customer of the duplicate.
            Rejected: the two cannot be one; ``reason`` and ``fields`` say why.
            Unavailable: with ``outcome_unknown`` when it may be done; repeating with the same key is safe.
        """
        order = {"KEY": key, "CUXREF": duplicate_id, "SRVREF": survivor_id}
        await self._programs.run("merge customers", "CUSMRG", order)

    async def take_merge_back(self, key: str, duplicate_id: str) -> None:
        """Take back what ``merge_customers`` did with this key; nothing happens when it did nothing."""
        try:
            await self._programs.run("take merge back", "CUSUMG", {"KEY": key, "CUXREF": duplicate_id})
        except NotFound:
            return

    async def _change(self, operation: str, account_id: str, values: Mapping[str, Any]) -> None:
        await self._programs.run(operation, "CUSMNT", {"CUXREF": account_id, **values})


def _tax_number(record: Record) -> tuple[str, str]:
    return read_text(record, "CUXREF"), read_text(record, "TXNO")


def _gln(record: Record) -> tuple[str, str]:
    return read_text(record, "CUXREF"), read_text(record, "GLN")


def _card(customer: NewCustomer) -> dict[str, Any]:
    return {
        "CUXREF": customer.account_id,
        "CUNAM": customer.name,
        **_address(customer.billing),
        "CURCD": customer.currency,
        "PRGRP": customer.price_group or "",
        "BLKCD": _BLOCK_CODES[NOT_BILLED],
        "TAXS": [_registration(entry) for entry in customer.tax_registrations],
        "SHTS": [_place(entry) for entry in customer.ship_tos],
    }


def _address(place: Address) -> dict[str, str]:
    return {
        "ADDR1": ", ".join(line for line in (place.line1, place.line2) if line),
        "CITY": place.city,
        "REGN": place.region or "",
        "PSTCD": place.postal_code,
        "CTRY": place.country,
    }


def _values(record: Record) -> tuple[str, AccountValues]:
    place = Address(
        line1=read_text(record, "ADDR1"),
        city=read_text(record, "CITY"),
        postal_code=read_text(record, "PSTCD"),
        country=read_text(record, "CTRY"),
        region=text_or_none(record, "REGN"),
    )
    return read_text(record, "CUXREF"), AccountValues(payment_terms=read_text(record, "TRMCD"), billing=place)


def _registration(entry: TaxRegistration) -> dict[str, Any]:
    verified = {} if entry.verified_at is None else moment_numbers("VRF", entry.verified_at)
    return {
        "TXKND": entry.kind,
        "TXNO": entry.number,
        "TXJUR": entry.jurisdiction,
        "EXMPT": "Y" if entry.exempt else "N",
        "CRTEX": date_number(entry.certificate_expires),
        **verified,
    }


def _place(entry: NewShipTo) -> dict[str, str]:
    return {
        "STXREF": entry.id,
        "STCOD": entry.code,
        **_address(entry.address),
        "GLN": entry.address.gln or "",
        "TXJUR": entry.tax_jurisdiction or "",
    }
