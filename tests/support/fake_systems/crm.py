"""A CRM in memory, and records of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from processes.journal import write
from schema.enums import AccountStatus, CaseStatus, ErpHome, SourceSystem
from schema.records.accounts import (
    Account,
    AccountFilter,
    AccountValues,
    Contact,
    Opportunity,
    Patch,
    ServiceCase,
    Territory,
    User,
)
from schema.records.onboarding import Lookalike, LookalikeQuery, NewAccount
from schema.records.values import ExternalRef, Page, PageRequest
from systems.errors import Rejected
from systems.ports import BAD_CURSOR, OrderMirror, QuoteMirror
from tests.support.fake_systems.rows import per_account
from tests.support.fake_systems.script import Kept, Script


def account(identifier: str = "acc_1", number: str = "C-10042", **changes: Any) -> Account:
    made = Account(
        id=identifier,
        number=number,
        name="Example Pumps",
        legal_name=None,
        status=AccountStatus.ACTIVE,
        version=1,
        parent_id=None,
        bill_to_id=None,
        territory=None,
        owner_id=None,
        erp_home=ErpHome.CLOUD_ERP,
        refs=(),
        changed_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return replace(made, **changes)


def opportunity(identifier: str = "opp_9", account_id: str = "acc_1", **changes: Any) -> Opportunity:
    made = Opportunity(identifier, account_id, "Spring pumps", "Proposal", None, None, None, is_open=True, refs=())
    return replace(made, **changes)


class FakeCrm:
    """Accounts, opportunities, mirrored orders and cases."""

    def __init__(self, script: Script, kept: Kept) -> None:
        self.script = script
        self.kept = kept
        self.known: dict[str, Account] = {}
        self.opportunities_by_id: dict[str, Opportunity] = {}
        self.people: dict[str, Contact] = {}
        self.users_by_id: dict[str, User] = {}
        self.territories_by_id: dict[str, Territory] = {}
        self.cases_by_id: dict[str, ServiceCase] = {}
        self.alike: list[Lookalike] = []

    async def accounts(self, ids: Sequence[str]) -> Mapping[str, Account]:
        await self.script.enter(SourceSystem.CRM, "accounts")
        return {entry: self.known[entry] for entry in ids if entry in self.known}

    async def accounts_by_number(self, numbers: Sequence[str]) -> Mapping[str, Account]:
        await self.script.enter(SourceSystem.CRM, "accounts_by_number")
        return {entry.number: entry for entry in self.known.values() if entry.number in numbers}

    async def account_by_ref(self, external_id: str) -> Account | None:
        await self.script.enter(SourceSystem.CRM, "account_by_ref")
        wanted = ExternalRef(SourceSystem.CRM, external_id)
        return next((entry for entry in self.known.values() if wanted in entry.refs), None)

    async def search_accounts(self, where: AccountFilter, page: PageRequest) -> Page[Account]:
        """Return a page; a cursor is the number that its row has. Only the status and the patch are looked at."""
        await self.script.enter(SourceSystem.CRM, "search_accounts")
        by_number = {
            entry.number: entry
            for entry in self.known.values()
            if where.status in (None, entry.status) and _lies_within(entry, where.within)
        }
        if page.after is not None and page.after not in by_number:
            message = f"no row {page.after!r}"
            raise Rejected(SourceSystem.CRM, "search_accounts", message, reason=BAD_CURSOR, fields=("after",))
        numbers = sorted(number for number in by_number if page.after is None or number > page.after)
        shown = tuple(numbers[: page.first])
        return Page(tuple(by_number[number] for number in shown), shown, len(numbers) > len(shown), len(by_number))

    async def children(self, parent_ids: Sequence[str]) -> Mapping[str, tuple[Account, ...]]:
        await self.script.enter(SourceSystem.CRM, "children")
        return {
            parent: tuple(entry for entry in self.known.values() if entry.parent_id == parent) for parent in parent_ids
        }

    async def opportunities(self, ids: Sequence[str]) -> Mapping[str, Opportunity]:
        await self.script.enter(SourceSystem.CRM, "opportunities")
        found = self.opportunities_by_id
        return {entry: found[entry] for entry in ids if entry in found}

    async def opportunities_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Opportunity, ...]]:
        await self.script.enter(SourceSystem.CRM, "opportunities_of")
        return per_account(self.opportunities_by_id, account_ids)

    async def contacts(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Contact, ...]]:
        await self.script.enter(SourceSystem.CRM, "contacts")
        return per_account(self.people, account_ids)

    async def contacts_by_id(self, ids: Sequence[str]) -> Mapping[str, Contact]:
        await self.script.enter(SourceSystem.CRM, "contacts_by_id")
        return {entry: self.people[entry] for entry in ids if entry in self.people}

    async def users(self, ids: Sequence[str]) -> Mapping[str, User]:
        await self.script.enter(SourceSystem.CRM, "users")
        return {entry: self.users_by_id[entry] for entry in ids if entry in self.users_by_id}

    async def territories(self, ids: Sequence[str]) -> Mapping[str, Territory]:
        await self.script.enter(SourceSystem.CRM, "territories")
        return {entry: self.territories_by_id[entry] for entry in ids if entry in self.territories_by_id}

    async def lookalikes(self, who: LookalikeQuery) -> tuple[Lookalike, ...]:
        await self.script.enter(SourceSystem.CRM, "lookalikes")
        return tuple(self.alike)

    async def upsert_account(self, account: NewAccount) -> Account:
        await self.script.enter(SourceSystem.CRM, "upsert_account")
        self.kept.drop("account", account.account_id)
        self.kept.put("account", account.account_id, json.dumps(write(account)))
        self._set_status(account.account_id, AccountStatus.ACTIVE)
        made = Account(
            id=account.account_id,
            number=account.number,
            name=account.name,
            legal_name=account.legal_name,
            status=AccountStatus.ACTIVE,
            version=1,
            parent_id=account.parent_id,
            bill_to_id=None,
            territory=None,
            owner_id=account.owner_id,
            erp_home=ErpHome.CLOUD_ERP,
            refs=(ExternalRef(SourceSystem.CRM, f"001{account.account_id}"),),
            changed_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        self.known[made.id] = made
        await self.script.leave("upsert_account")
        return made

    async def set_account_status(self, account_id: str, status: AccountStatus) -> None:
        await self.script.enter(SourceSystem.CRM, "set_account_status")
        self._set_status(account_id, status)
        await self.script.leave("set_account_status")

    async def change_account(self, account_id: str, values: AccountValues, version: int) -> None:
        await self.script.enter(SourceSystem.CRM, "change_account")
        changed = {} if values.owner_id is None else {"owner_id": values.owner_id or None}
        self.known[account_id] = replace(self.known[account_id], version=version, **changed)
        if values.billing is not None:
            self.kept.drop("crm billing", account_id)
            self.kept.put("crm billing", account_id, values.billing.city)
        await self.script.leave("change_account")

    async def belongings(self, account_id: str) -> tuple[str, ...]:
        await self.script.enter(SourceSystem.CRM, "belongings")
        records: dict[str, Any] = {**self.people, **self.opportunities_by_id, **self.cases_by_id}
        return tuple(name for name, entry in records.items() if entry.account_id == account_id)

    async def give_belongings(self, belongings: Sequence[str], account_id: str) -> None:
        await self.script.enter(SourceSystem.CRM, "give_belongings")
        held: dict[str, Any]
        for held in (self.people, self.opportunities_by_id, self.cases_by_id):
            for name in set(belongings) & set(held):
                held[name] = replace(held[name], account_id=account_id)
        await self.script.leave("give_belongings")

    def _set_status(self, account_id: str, status: AccountStatus) -> None:
        if account_id in self.known:
            self.known[account_id] = replace(self.known[account_id], status=status)
        if self.kept.all("account", account_id):
            self.kept.drop("account status", account_id)
            self.kept.put("account status", account_id, status.value)

    async def cases(self, ids: Sequence[str]) -> Mapping[str, ServiceCase]:
        await self.script.enter(SourceSystem.CRM, "cases")
        return {entry: self.cases_by_id[entry] for entry in ids if entry in self.cases_by_id}

    async def cases_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[ServiceCase, ...]]:
        await self.script.enter(SourceSystem.CRM, "cases_of")
        return per_account(self.cases_by_id, account_ids)

    async def mirror_order(self, key: str, mirror: OrderMirror) -> None:
        await self.script.enter(SourceSystem.CRM, "mirror_order")
        self.kept.drop("mirror", mirror.order_id)
        self.kept.put("mirror", mirror.order_id, mirror.status.value)
        await self.script.leave("mirror_order")

    async def mirror_quote(self, mirror: QuoteMirror) -> None:
        await self.script.enter(SourceSystem.CRM, "mirror_quote")
        self.kept.drop("mirror", mirror.quote_id)
        self.kept.put("mirror", mirror.quote_id, f"{mirror.number} {mirror.status.value}")
        await self.script.leave("mirror_quote")

    async def open_case(
        self, key: str, *, account_id: str, order_id: str | None, subject: str, priority: str, body: str
    ) -> ServiceCase:
        await self.script.enter(SourceSystem.CRM, "open_case")
        if not self.kept.all("case", key):
            self.kept.put("case", key, subject)
        at = datetime.now(UTC)
        return ServiceCase(f"cas_{key}", account_id, "1", subject, CaseStatus.OPEN, priority, at, None, None, order_id)


def _lies_within(entry: Account, patch: Patch | None) -> bool:
    if patch is None:
        return True
    territory_id = None if entry.territory is None else entry.territory.id
    return territory_id in patch.territory_ids or entry.owner_id == patch.owner_id
