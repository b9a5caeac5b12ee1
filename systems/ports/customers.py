"""What is wanted of ERP and finance about customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from schema.enums import SourceSystem
from schema.records.accounts import AccountValues, CustomerTerms, ShipTo
from schema.records.onboarding import BillingTerms, CustomerTrace, NewCustomer


class CustomerMaster(Protocol):
    """On what terms customers buy and what they owe. System of record: home ERP and finance."""

    async def terms(self, account_ids: Sequence[str]) -> Mapping[str, CustomerTerms]:
        """Return terms and credit by account id."""
        ...

    async def account_id_by_ref(self, system: SourceSystem, external_id: str) -> str | None:
        """Return the platform id of the account that this ERP itself knows under ``external_id``."""
        ...

    async def ship_tos(self, ids: Sequence[str]) -> Mapping[str, ShipTo]:
        """Return ship-tos by platform id."""
        ...

    async def ship_tos_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[ShipTo, ...]]:
        """Return ship-tos per account by code."""
        ...


class CustomerRegistry(Protocol):
    """Customers that come to be in ERP and finance. The account's id is the key: writing again changes nothing.

    The ERP of this deployment is its finance system too: billing of a customer is opened and closed on its card.
    """

    async def traces(self, tax_numbers: Sequence[str], glns: Sequence[str]) -> tuple[CustomerTrace, ...]:
        """Return customers that have one of these tax numbers or GLNs; numbers are in capitals without marks."""
        ...

    async def group_has_prices(self, price_group: str, currency: str) -> bool | None:
        """Return whether the group has prices in the currency, None when there is no such group."""
        ...

    async def create_customer(self, customer: NewCustomer) -> CustomerTerms:
        """Create a customer that is blocked for invoices, with its places, or return the one created before.

        Raises:
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
            Unavailable: with ``outcome_unknown`` when it may exist; repeating is safe.
        """
        ...

    async def open_billing(self, account_id: str, billing: BillingTerms) -> None:
        """Set terms and limit of a customer and lift its block.

        Raises:
            NotFound: the ERP has no such customer.
        """
        ...

    async def block_customer(self, account_id: str, blocked: str) -> None:
        """Block a customer for ``Ship``, ``Invoice`` or ``All``; nothing happens when there is none."""
        ...

    async def customer_values(self, account_ids: Sequence[str]) -> Mapping[str, AccountValues]:
        """Return terms and billing address by account id."""
        ...

    async def change_customer(self, account_id: str, values: AccountValues) -> None:
        """Set payment terms and billing address where they are given.

        Raises:
            NotFound: the ERP has no such customer.
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
        """
        ...

    async def merge_customers(self, key: str, duplicate_id: str, survivor_id: str) -> None:
        """Give what is open of one customer to the other once per key, and block the one for everything.

        Raises:
            NotFound: the ERP has no customer of the duplicate.
            Rejected: the two cannot be one; ``reason`` and ``fields`` say why.
        """
        ...

    async def take_merge_back(self, key: str, duplicate_id: str) -> None:
        """Take back what ``merge_customers`` did with this key; nothing happens when it did nothing."""
        ...
