"""Customers that come to be in the ERP: traces of them, their cards, and their billing.

The platform id of the account is the key of a card: the ERP has one card of it at most. Other writes look the card up
and set values, so repeating one finds its effect done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schema.enums import SourceSystem
from schema.records.accounts import AccountValues, CustomerTerms, TaxRegistration
from schema.records.onboarding import BillingTerms, CustomerTrace, NewCustomer, NewShipTo
from schema.records.values import Address
from systems.business_central.customers import Customers
from systems.business_central.odata import Query, all_of, any_of, equals, literal, within
from systems.erp_customers import NOT_BILLED, created, plain, traces_of
from systems.errors import Conflict, NotFound

__all__ = ["CustomerWrites"]

_VALUES = "crossdockId,paymentTermsCode,addressLine1,city,state,country,postalCode"
_ANY_VERSION = {"if-match": "*"}


class CustomerWrites(Customers):
    """:class:`systems.ports.CustomerRegistry`; the ERP of this deployment is its finance system too."""

    async def traces(self, tax_numbers: Sequence[str], glns: Sequence[str]) -> tuple[CustomerTrace, ...]:
        """Return customers that have one of these tax numbers or GLNs; numbers are in capitals without marks."""
        wanted = [number for number in map(plain, tax_numbers) if number]
        contained = [f"contains(taxNumbers,{literal(f' {number} ')})" for number in wanted]
        cards = [Query("customerCards", "crossdockId,taxNumbers", any_of(contained))] if wanted else []
        places = [Query("shipToAddresses", "accountId,gln", where) for where in within("gln", glns)]
        known = await self._reader.rows("traces", cards, _numbers)
        located = await self._reader.rows("traces", places, lambda row: (row["accountId"], row["gln"]))
        numbers = ((account_id, number) for account_id, kept in known for number in wanted if number in kept)
        return traces_of(numbers, located)

    async def group_has_prices(self, price_group: str, currency: str) -> bool | None:
        """Return whether the group has prices in the currency, None when there is no such group."""
        group = equals("priceGroup", price_group)
        queries = [
            Query("prices", "currencyCode", where, top=1) for where in (group, all_of([group, _in_currency(currency)]))
        ]
        known, fitting = await self._reader.each("price group", queries, lambda row: str(row["currencyCode"]))
        return bool(fitting) if known else None

    async def create_customer(self, customer: NewCustomer) -> CustomerTerms:
        """Create a customer that is blocked for invoices, with its places, or return the one created before.

        Raises:
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
            Unavailable: with ``outcome_unknown`` when it may exist; repeating is safe.
        """
        path = await self._reader.path("customerCards")
        conflict: Conflict | None = None
        try:
            await self._reader.client.send("create customer", "POST", path, _card(customer))
        except Conflict as error:
            conflict = error
        found = (await self.terms([customer.account_id])).get(customer.account_id)
        return created(SourceSystem.CLOUD_ERP, customer.account_id, found, conflict)

    async def open_billing(self, account_id: str, billing: BillingTerms) -> None:
        """Set terms and limit of a customer and lift its block.

        Raises:
            NotFound: the ERP has no such customer.
        """
        limit = billing.credit_limit
        body = {
            "paymentTermsCode": billing.payment_terms,
            # The vendor keeps amounts as JSON numbers; they are exact up to fifteen digits.
            "creditLimit": None if limit is None else float(limit.amount),
            "blocked": "",
        }
        if not await self._change("open billing", account_id, body):
            message = f"there is no customer of account {account_id}"
            raise NotFound(SourceSystem.CLOUD_ERP, "open billing", message)

    async def block_customer(self, account_id: str, blocked: str) -> None:
        """Block a customer for ``Ship``, ``Invoice`` or ``All``; nothing happens when there is none."""
        await self._change("block customer", account_id, {"blocked": blocked})

    async def customer_values(self, account_ids: Sequence[str]) -> Mapping[str, AccountValues]:
        """Return terms and billing address by account id."""
        queries = [Query("customerCards", _VALUES, where) for where in within("crossdockId", account_ids)]
        return dict(await self._reader.rows("customer values", queries, _values))

    async def change_customer(self, account_id: str, values: AccountValues) -> None:
        """Set payment terms and billing address where they are given.

        Raises:
            NotFound: the ERP has no such customer.
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
        """
        body: dict[str, Any] = {} if values.payment_terms is None else {"paymentTermsCode": values.payment_terms}
        if values.billing is not None:
            body |= _billing(values.billing)
        if not await self._change("change customer", account_id, body):
            message = f"there is no customer of account {account_id}"
            raise NotFound(SourceSystem.CLOUD_ERP, "change customer", message)

    async def _change(self, operation: str, account_id: str, body: Mapping[str, Any]) -> bool:
        """Return whether there is a customer, whose card has these values now."""
        query = Query("customerCards", "id", equals("crossdockId", account_id))
        found = await self._reader.rows(operation, [query], lambda row: str(row["id"]))
        for card in found:
            path = await self._reader.path(f"customerCards({card})")
            await self._reader.client.send(operation, "PATCH", path, body, _ANY_VERSION)
        return bool(found)


def _numbers(row: Mapping[str, Any]) -> tuple[str, list[str]]:
    return str(row["crossdockId"]), str(row["taxNumbers"]).split()


def _in_currency(currency: str) -> str:
    return equals("currencyCode", currency)


def _card(customer: NewCustomer) -> dict[str, Any]:
    return {
        "crossdockId": customer.account_id,
        "displayName": customer.name,
        **_billing(customer.billing),
        "currencyCode": customer.currency,
        "customerPriceGroup": customer.price_group,
        "blocked": NOT_BILLED,
        "taxRegistrations": [_registration(entry) for entry in customer.tax_registrations],
        "shipToAddresses": [_place(entry) for entry in customer.ship_tos],
    }


def _billing(place: Address) -> dict[str, Any]:
    return {
        "addressLine1": ", ".join(line for line in (place.line1, place.line2) if line),
        "city": place.city,
        "state": place.region,
        "country": place.country,
        "postalCode": place.postal_code,
    }


def _values(row: Mapping[str, Any]) -> tuple[str, AccountValues]:
    place = Address(
        line1=row["addressLine1"] or "",
        city=row["city"] or "",
        postal_code=row["postalCode"] or "",
        country=row["country"] or "",
        region=row["state"],
    )
    return str(row["crossdockId"]), AccountValues(payment_terms=row["paymentTermsCode"] or "", billing=place)


def _registration(entry: TaxRegistration) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "number": entry.number,
        "jurisdiction": entry.jurisdiction,
        "exempt": entry.exempt,
        "certificateExpires": None if entry.certificate_expires is None else entry.certificate_expires.isoformat(),
        "verifiedAt": None if entry.verified_at is None else entry.verified_at.isoformat(),
    }


def _place(entry: NewShipTo) -> dict[str, Any]:
    place = entry.address
    return {
        "crossdockId": entry.id,
        "code": entry.code,
        "line1": ", ".join(line for line in (place.line1, place.line2) if line),
        "city": place.city,
        "state": place.region,
        "postalCode": place.postal_code,
        "country": place.country,
        "gln": place.gln,
        "taxJurisdiction": entry.tax_jurisdiction,
    }
