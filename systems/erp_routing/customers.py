"""Customers: read where they are at home, written wherever they have a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from schema.enums import SourceSystem
from schema.records.accounts import AccountValues, CustomerTerms, ShipTo
from schema.records.onboarding import BillingTerms, CustomerTrace, NewCustomer
from schema.records.values import Money
from systems.erp_homes import NEW_CUSTOMERS, Capability
from systems.erp_routing.bounded import Bounded
from systems.erp_routing.route import MAX_REMEMBERED, Route, by_erp, first_of, whole
from systems.errors import NotFound

__all__ = ["Customers"]


class Customers:
    """:class:`systems.ports.CustomerMaster` and :class:`systems.ports.CustomerRegistry`."""

    _route: Route

    def __init__(self) -> None:
        self._owners: Bounded[str] = Bounded(MAX_REMEMBERED)

    # --- reads

    async def terms(self, account_ids: Sequence[str]) -> Mapping[str, CustomerTerms]:
        """Return terms and credit by account id; of an account in two ERPs both count for what it owes."""
        return await self._route.by_account(
            "terms", Capability.CUSTOMER, account_ids, lambda erp, ids: erp.terms(ids), _owing_in_all
        )

    async def account_id_by_ref(self, system: SourceSystem, external_id: str) -> str | None:
        """Return the platform id of the account that this ERP itself knows under ``external_id``."""
        erp = self._route.erps.get(system)
        return None if erp is None else await erp.account_id_by_ref(system, external_id)

    async def ship_tos(self, ids: Sequence[str]) -> Mapping[str, ShipTo]:
        """Return ship-tos by platform id.

        A place belongs to one account for ever: once its account is known, it is asked for where that is at home.
        """
        owners = {place_id: self._owners.get(place_id) for place_id in dict.fromkeys(ids)}
        homes, _ = await self._route.erps_of(
            {owner for owner in owners.values() if owner is not None}, Capability.TERMS
        )
        asked = {place_id: homes.get(owner or "", tuple(self._route.erps)) for place_id, owner in owners.items()}
        answers, silent = await self._route.ask(by_erp(asked), lambda erp, keys: erp.ship_tos(keys))
        copies = {
            place_id: {system: answers[system][place_id] for system in systems if place_id in answers.get(system, {})}
            for place_id, systems in asked.items()
        }
        found = await self._deciding({place_id: places for place_id, places in copies.items() if places})
        missing = {
            place_id: next(silent[system] for system in systems if system in silent)
            for place_id, systems in asked.items()
            if place_id not in found and any(system in silent for system in systems)
        }
        return whole("ship-tos", found, missing, silent)

    async def _deciding(self, copies: Mapping[str, Mapping[SourceSystem, ShipTo]]) -> dict[str, ShipTo]:
        """Return places as the ERP has them that decides about them, and remember whose they are."""
        found = {place_id: next(iter(places.values())) for place_id, places in copies.items()}
        for place in found.values():
            self._owners.put(place.id, place.account_id)
        doubtful = {found[place_id].account_id for place_id, places in copies.items() if len(places) > 1}
        if doubtful:
            homes, _ = await self._route.erps_of(doubtful, Capability.TERMS)
            for place_id, places in copies.items():
                decides = next((entry for entry in homes.get(found[place_id].account_id, ()) if entry in places), None)
                if decides is not None:
                    found[place_id] = places[decides]
        return found

    async def ship_tos_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[ShipTo, ...]]:
        """Return ship-tos per account by code."""
        found = await self._route.by_account(
            "ship-tos", Capability.TERMS, account_ids, lambda erp, ids: erp.ship_tos_of(ids), first_of
        )
        for account_id, places in found.items():
            for place in places:
                self._owners.put(place.id, account_id)
        return found

    async def customer_values(self, account_ids: Sequence[str]) -> Mapping[str, AccountValues]:
        """Return terms and billing address by account id."""
        return await self._route.by_account(
            "customer values", Capability.TERMS, account_ids, lambda erp, ids: erp.customer_values(ids), first_of
        )

    async def traces(self, tax_numbers: Sequence[str], glns: Sequence[str]) -> tuple[CustomerTrace, ...]:
        """Return customers of any ERP that have one of these tax numbers or GLNs.

        Raises:
            ConnectorError: one of the ERPs does not answer: who is not found in it may still be a customer.
        """
        everywhere = {system: list(tax_numbers) for system in self._route.erps}
        answers, silent = await self._route.ask(everywhere, lambda erp, numbers: erp.traces(numbers, glns))
        for error in silent.values():
            raise error
        return tuple(dict.fromkeys(trace for traces in answers.values() for trace in traces))

    async def group_has_prices(self, price_group: str, currency: str) -> bool | None:
        """Return whether the group has prices in the currency, None when there is no such group."""
        return await self._route.items.group_has_prices(price_group, currency)

    # --- writes

    async def create_customer(self, customer: NewCustomer) -> CustomerTerms:
        """Create a customer that is blocked for invoices, with its places, or return the one created before."""
        made = await self._route.items.create_customer(customer)
        self._route.homes.put(customer.account_id, NEW_CUSTOMERS)
        return made

    async def open_billing(self, account_id: str, billing: BillingTerms) -> None:
        """Set terms and limit of a customer and lift its block."""
        decides, *others = await self._route.erps_of_one(account_id, Capability.CUSTOMER)
        await decides.open_billing(account_id, billing)
        for erp in others:
            await erp.open_billing(account_id, billing)

    async def block_customer(self, account_id: str, blocked: str) -> None:
        """Block a customer for ``Ship``, ``Invoice`` or ``All``; nothing happens when there is none."""
        for erp in await self._route.erps_of_one(account_id, Capability.CUSTOMER):
            await erp.block_customer(account_id, blocked)

    async def change_customer(self, account_id: str, values: AccountValues) -> None:
        """Set payment terms and billing address where they are given: first in the ERP that decides about them."""
        decides, *others = await self._route.erps_of_one(account_id, Capability.CUSTOMER)
        await decides.change_customer(account_id, values)
        for erp in others:
            await erp.change_customer(account_id, values)

    async def merge_customers(self, key: str, duplicate_id: str, survivor_id: str) -> None:
        """Give what is open of one customer to the other once per key, and block the one for everything.

        Raises:
            NotFound: no ERP has a customer of the duplicate.
        """
        missing: list[NotFound] = []
        erps = await self._route.erps_of_one(duplicate_id, Capability.CUSTOMER)
        for erp in erps:
            try:
                await erp.merge_customers(key, duplicate_id, survivor_id)
            except NotFound as error:
                missing.append(error)
        if len(missing) == len(erps):
            raise missing[0]

    async def take_merge_back(self, key: str, duplicate_id: str) -> None:
        """Take back what ``merge_customers`` did with this key; nothing happens when it did nothing."""
        for erp in await self._route.erps_of_one(duplicate_id, Capability.CUSTOMER):
            await erp.take_merge_back(key, duplicate_id)


def _owing_in_all(parts: Sequence[CustomerTerms]) -> CustomerTerms:
    """Return the terms of the ERP that decides, with what is owed in all of them."""
    decides, *others = parts
    credit = decides.credit
    for other in (entry.credit for entry in others):
        if other.open_receivables.currency != credit.open_receivables.currency:
            message = f"account {decides.account_id} owes in {other.open_receivables.currency} elsewhere"
            raise ValueError(message)
        credit = replace(
            credit,
            open_receivables=_sum(credit.open_receivables, other.open_receivables),
            overdue=_sum(credit.overdue, other.overdue),
            max_days_past_due=max(credit.max_days_past_due, other.max_days_past_due),
            on_hold=credit.on_hold or other.on_hold,
            hold_reason=credit.hold_reason or other.hold_reason,
            as_of=min(credit.as_of, other.as_of),
        )
    return replace(decides, credit=credit)


def _sum(one: Money, other: Money) -> Money:
    return Money(sum((one.amount, other.amount), Decimal(0)), one.currency)
