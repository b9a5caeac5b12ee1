"""Customers of the ERP: terms, places, billing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from processes.journal import write
from schema.enums import SourceSystem
from schema.records.accounts import AccountValues, CreditProfile, CustomerTerms, ShipTo
from schema.records.onboarding import BillingTerms, CustomerTrace, NewCustomer
from schema.records.values import ExternalRef, Money
from tests.support.fake_systems.erp_part import ErpPart
from tests.support.fake_systems.rows import per_account
from tests.support.fake_systems.script import Kept, Script


class FakeCustomers(ErpPart):
    """Customers of the ERP: terms, places, billing."""

    def __init__(self, script: Script, kept: Kept) -> None:
        super().__init__(script, kept)
        self.terms_by_account: dict[str, CustomerTerms] = {}
        self.places: dict[str, ShipTo] = {}
        self.values: dict[str, AccountValues] = {}
        self.known_traces: list[CustomerTrace] = []
        self.group_currencies: dict[str, set[str]] = {}

    async def terms(self, account_ids: Sequence[str]) -> Mapping[str, CustomerTerms]:
        await self.script.enter(self.system, "terms")
        found = self.terms_by_account
        return {entry: found[entry] for entry in account_ids if entry in found}

    async def account_id_by_ref(self, system: SourceSystem, external_id: str) -> str | None:
        await self.script.enter(self.system, "account_id_by_ref")
        wanted = ExternalRef(system, external_id)
        return next((name for name, entry in self.terms_by_account.items() if entry.ref == wanted), None)

    async def ship_tos_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[ShipTo, ...]]:
        await self.script.enter(self.system, "ship_tos_of")
        return per_account(self.places, account_ids)

    async def ship_tos(self, ids: Sequence[str]) -> Mapping[str, ShipTo]:
        await self.script.enter(self.system, "ship_tos")
        return {entry: self.places[entry] for entry in ids if entry in self.places}

    async def traces(self, tax_numbers: Sequence[str], glns: Sequence[str]) -> tuple[CustomerTrace, ...]:
        await self.script.enter(self.system, "traces")
        wanted = {*tax_numbers, *glns}
        return tuple(entry for entry in self.known_traces if wanted.intersection(entry.tax_numbers + entry.glns))

    async def group_has_prices(self, price_group: str, currency: str) -> bool | None:
        await self.script.enter(self.system, "group_has_prices")
        known = self.group_currencies.get(price_group)
        return None if known is None else currency in known

    async def create_customer(self, customer: NewCustomer) -> CustomerTerms:
        await self.script.enter(self.system, "create_customer")
        key = customer.account_id
        if not self.kept.all("customer", key):
            self.kept.put("customer", key, json.dumps(write(customer)))
            self._set_block(key, "Invoice")
        number = f"C-{20_001 + self.kept.keys('customer').index(key)}"
        made = CustomerTerms(
            account_id=key,
            number=number,
            currency=customer.currency,
            payment_terms=None,
            price_group=customer.price_group,
            blocked=self.kept.all("block", key)[0],
            tax_registrations=customer.tax_registrations,
            credit=CreditProfile(
                None, Money(Decimal(0), customer.currency), Money(Decimal(0), customer.currency), 0, False, None,
                datetime(2026, 1, 1, tzinfo=UTC),
            ),
            credit_tolerance_percent=0,
            ref=ExternalRef(self.system, number),
        )  # fmt: skip
        await self.script.leave("create_customer")
        return made

    async def open_billing(self, account_id: str, billing: BillingTerms) -> None:
        await self.script.enter(self.system, "open_billing")
        assert self.kept.all("customer", account_id), "nobody to bill"
        self.kept.drop("billing", account_id)
        self.kept.put("billing", account_id, json.dumps(write(billing)))
        self._set_block(account_id, "")
        await self.script.leave("open_billing")

    async def block_customer(self, account_id: str, blocked: str) -> None:
        await self.script.enter(self.system, "block_customer")
        if self.kept.all("customer", account_id):
            self._set_block(account_id, blocked)
        await self.script.leave("block_customer")

    async def customer_values(self, account_ids: Sequence[str]) -> Mapping[str, AccountValues]:
        await self.script.enter(self.system, "customer_values")
        return {entry: self.values[entry] for entry in account_ids if entry in self.values}

    async def change_customer(self, account_id: str, values: AccountValues) -> None:
        await self.script.enter(self.system, "change_customer")
        given = {"payment_terms": values.payment_terms, "billing": values.billing}
        changed = {name: value for name, value in given.items() if value is not None}
        self.values[account_id] = replace(self.values[account_id], **changed)
        if values.billing is not None:
            self.kept.drop("erp billing", account_id)
            self.kept.put("erp billing", account_id, values.billing.city)
        await self.script.leave("change_customer")

    async def merge_customers(self, key: str, duplicate_id: str, survivor_id: str) -> None:
        await self.script.enter(self.system, "merge_customers")
        if not self.kept.all("merge", key):
            self.kept.put("merge", key, json.dumps(self._move_places(duplicate_id, survivor_id)))
            self._set_block(duplicate_id, "All")
        await self.script.leave("merge_customers")

    async def take_merge_back(self, key: str, duplicate_id: str) -> None:
        await self.script.enter(self.system, "take_merge_back")
        for text in self.kept.all("merge", key):
            for place in json.loads(text):
                self.places[place] = replace(self.places[place], account_id=duplicate_id)
            self.kept.drop("merge", key)
            self._set_block(duplicate_id, "")
        await self.script.leave("take_merge_back")

    def _move_places(self, source: str, target: str) -> list[str]:
        moved = [name for name, place in self.places.items() if place.account_id == source]
        for name in moved:
            self.places[name] = replace(self.places[name], account_id=target)
        return moved

    def _set_block(self, account_id: str, blocked: str) -> None:
        self.kept.drop("block", account_id)
        self.kept.put("block", account_id, blocked)
