"""CRM, ERP, WMS and TMS in memory, with faults by script, for tests of processes.

What systems keep (documents, releases, loads) stands in one SQLite file, so that a test may kill the program and look
what is there. The ERP creates a document as often as it is told to, like one whose API knows no idempotency: that there
is one per key is the process's doing.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from processes.journal import read, write
from schema.enums import (
    AccountStatus,
    CaseStatus,
    ErpHome,
    OrderStatus,
    ReturnStatus,
    ShipmentStatus,
    SourceSystem,
)
from schema.records.accounts import (
    Account,
    AccountFilter,
    AccountValues,
    Contact,
    CreditProfile,
    CustomerTerms,
    Opportunity,
    ServiceCase,
    ShipTo,
    Territory,
    User,
)
from schema.records.catalog import Category, Item, ItemFilter, PriceRule
from schema.records.currencies import round_to_minor
from schema.records.inventory import InboundSupply, StockPosition, Warehouse
from schema.records.invoices import PostedInvoice
from schema.records.onboarding import (
    BillingTerms,
    CustomerTrace,
    Lookalike,
    LookalikeQuery,
    NewAccount,
    NewCustomer,
)
from schema.records.orders import (
    ErpLine,
    ErpLineChange,
    ErpOrder,
    ErpOrderChange,
    Invoice,
    Milestone,
    NewErpOrder,
    OrderFilter,
    Return,
    ReturnLine,
    Shipment,
    Tracking,
)
from schema.records.returns import ExpectedReturn, NewReturn, return_id
from schema.records.values import ExternalRef, Money, Page, PageRequest
from systems.errors import ConnectorError, Rejected, Unavailable
from systems.ports import (
    BAD_CURSOR,
    AllocationResult,
    HoldOutcome,
    OrderMirror,
    ReleaseRequest,
    ReleaseResult,
    TenderRequest,
)

Fault = ConnectorError | float | str


class FakeClock:
    """A clock that stands where the test puts it, or runs with the real one."""

    def __init__(self, at: datetime | None = None) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at or datetime.now(UTC)


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


@dataclass
class Kept:
    """What the systems keep, in a file that outlives the program or in memory."""

    path: Path | None = None
    connection: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = sqlite3.connect(self.path or ":memory:", timeout=10, isolation_level=None)
        self.connection.execute("CREATE TABLE IF NOT EXISTS kept (kind TEXT, key TEXT, body TEXT)")

    def close(self) -> None:
        self.connection.close()

    def put(self, kind: str, key: str, body: str) -> None:
        self.connection.execute("INSERT INTO kept VALUES (?, ?, ?)", (kind, key, body))

    def replace(self, kind: str, key: str, body: str) -> None:
        self.connection.execute("UPDATE kept SET body = ? WHERE kind = ? AND key = ?", (body, kind, key))

    def drop(self, kind: str, key: str) -> None:
        self.connection.execute("DELETE FROM kept WHERE kind = ? AND key = ?", (kind, key))

    def all(self, kind: str, key: str | None = None) -> list[str]:
        where = "kind = ?" if key is None else "kind = ? AND key = ?"
        values = (kind,) if key is None else (kind, key)
        return [row[0] for row in self.connection.execute(f"SELECT body FROM kept WHERE {where}", values)]

    def keys(self, kind: str) -> list[str]:
        return [row[0] for row in self.connection.execute("SELECT key FROM kept WHERE kind = ?", (kind,))]


@dataclass
class Script:
    """What happens to calls, by operation.

    ``before`` and ``after`` hold what to do with the next calls of an operation: raise an error, wait some seconds, or
    ``"kill"`` the program. ``after`` strikes when the system has done its work: the answer is lost.
    """

    before: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    after: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    calls: list[str] = field(default_factory=list)
    down: set[SourceSystem] = field(default_factory=set)
    seen: Callable[[str], None] = lambda operation: None

    async def enter(self, system: SourceSystem, operation: str) -> None:
        self.calls.append(operation)
        self.seen(operation)
        if system in self.down:
            raise Unavailable(system, operation, "no connection", outcome_unknown=False)
        await _strike(self.before[operation])

    async def leave(self, operation: str) -> None:
        await _strike(self.after[operation])


async def _strike(faults: list[Fault]) -> None:
    if not faults:
        return
    fault = faults.pop(0)
    if isinstance(fault, ConnectorError):
        raise fault
    if isinstance(fault, str):
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        await asyncio.sleep(fault)


OwnedT = TypeVar("OwnedT", Contact, Opportunity, ServiceCase, ShipTo, Invoice, Return)
OrderedT = TypeVar("OrderedT", Invoice, Return, Shipment)


def _per_account(known: Mapping[str, OwnedT], account_ids: Sequence[str]) -> dict[str, tuple[OwnedT, ...]]:
    rows = known.values()
    return {account_id: tuple(row for row in rows if row.account_id == account_id) for account_id in account_ids}


def _per_order(known: Mapping[str, OrderedT], order_ids: Sequence[str]) -> dict[str, tuple[OrderedT, ...]]:
    rows = known.values()
    return {order_id: tuple(row for row in rows if row.order_id == order_id) for order_id in order_ids}


def _newest(orders: Sequence[ErpOrder]) -> list[ErpOrder]:
    return sorted(orders, key=lambda entry: (entry.submitted_at, entry.id), reverse=True)


def _fulfils(order: ErpOrder, where: OrderFilter) -> bool:
    assert not where.may_have_exceptions, "the ERP records no exceptions"
    return (
        (where.statuses is None or order.status in where.statuses)
        and where.po_number in (None, order.po_number)
        and (where.start is None or order.submitted_at >= where.start)
        and (where.end is None or order.submitted_at < where.end)
        and (where.behind is None or (order.submitted_at, order.id) < where.behind)
    )


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
        """Return a page; a cursor is the number that its row has. Of the conditions only the status is looked at."""
        await self.script.enter(SourceSystem.CRM, "search_accounts")
        by_number = {entry.number: entry for entry in self.known.values() if where.status in (None, entry.status)}
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
        return _per_account(self.opportunities_by_id, account_ids)

    async def contacts(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Contact, ...]]:
        await self.script.enter(SourceSystem.CRM, "contacts")
        return _per_account(self.people, account_ids)

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

    def _set_status(self, account_id: str, status: AccountStatus) -> None:
        if self.kept.all("account", account_id):
            self.kept.drop("account status", account_id)
            self.kept.put("account status", account_id, status.value)

    async def cases(self, ids: Sequence[str]) -> Mapping[str, ServiceCase]:
        await self.script.enter(SourceSystem.CRM, "cases")
        return {entry: self.cases_by_id[entry] for entry in ids if entry in self.cases_by_id}

    async def cases_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[ServiceCase, ...]]:
        await self.script.enter(SourceSystem.CRM, "cases_of")
        return _per_account(self.cases_by_id, account_ids)

    async def mirror_order(self, key: str, mirror: OrderMirror) -> None:
        await self.script.enter(SourceSystem.CRM, "mirror_order")
        self.kept.drop("mirror", mirror.order_id)
        self.kept.put("mirror", mirror.order_id, mirror.status.value)
        await self.script.leave("mirror_order")

    async def open_case(
        self, key: str, *, account_id: str, order_id: str | None, subject: str, priority: str, body: str
    ) -> ServiceCase:
        await self.script.enter(SourceSystem.CRM, "open_case")
        if not self.kept.all("case", key):
            self.kept.put("case", key, subject)
        at = datetime.now(UTC)
        return ServiceCase(f"cas_{key}", account_id, "1", subject, CaseStatus.OPEN, priority, at, None, None, order_id)


class FakeErp:
    """Terms, items, prices, orders, invoices, returns.

    ``stock`` is what can be allocated per (sku, warehouse code); ``entered`` are orders that no process created.
    """

    def __init__(self, script: Script, kept: Kept) -> None:
        self.script = script
        self.kept = kept
        self.terms_by_account: dict[str, CustomerTerms] = {}
        self.places: dict[str, ShipTo] = {}
        self.items_by_sku: dict[str, Item] = {}
        self.categories_by_id: dict[str, Category] = {}
        self.price_rules: list[PriceRule] = []
        self.supply: dict[str, tuple[InboundSupply, ...]] = {}
        self.rates: dict[tuple[str, str], Decimal] = {}
        self.open: dict[str, Money] = {}
        self.stock: dict[tuple[str, str], Decimal] = {}
        self.invoiced = False
        self.entered: dict[str, ErpOrder] = {}
        self.invoices_by_id: dict[str, Invoice] = {}
        self.postings: list[PostedInvoice] = []
        self.returns_by_id: dict[str, Return] = {}
        self.values: dict[str, AccountValues] = {}
        self.known_traces: list[CustomerTrace] = []
        self.group_currencies: dict[str, set[str]] = {}
        self.price_of: Callable[[str, Money], Money] = lambda sku, agreed: agreed

    async def terms(self, account_ids: Sequence[str]) -> Mapping[str, CustomerTerms]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "terms")
        found = self.terms_by_account
        return {entry: found[entry] for entry in account_ids if entry in found}

    async def account_id_by_ref(self, system: SourceSystem, external_id: str) -> str | None:
        await self.script.enter(SourceSystem.CLOUD_ERP, "account_id_by_ref")
        wanted = ExternalRef(system, external_id)
        return next((name for name, entry in self.terms_by_account.items() if entry.ref == wanted), None)

    async def ship_tos_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[ShipTo, ...]]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "ship_tos_of")
        return _per_account(self.places, account_ids)

    async def ship_tos(self, ids: Sequence[str]) -> Mapping[str, ShipTo]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "ship_tos")
        return {entry: self.places[entry] for entry in ids if entry in self.places}

    async def traces(self, tax_numbers: Sequence[str], glns: Sequence[str]) -> tuple[CustomerTrace, ...]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "traces")
        wanted = {*tax_numbers, *glns}
        return tuple(entry for entry in self.known_traces if wanted.intersection(entry.tax_numbers + entry.glns))

    async def group_has_prices(self, price_group: str, currency: str) -> bool | None:
        await self.script.enter(SourceSystem.CLOUD_ERP, "group_has_prices")
        known = self.group_currencies.get(price_group)
        return None if known is None else currency in known

    async def create_customer(self, customer: NewCustomer) -> CustomerTerms:
        await self.script.enter(SourceSystem.CLOUD_ERP, "create_customer")
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
            ref=ExternalRef(SourceSystem.CLOUD_ERP, number),
        )  # fmt: skip
        await self.script.leave("create_customer")
        return made

    async def open_billing(self, account_id: str, billing: BillingTerms) -> None:
        await self.script.enter(SourceSystem.CLOUD_ERP, "open_billing")
        assert self.kept.all("customer", account_id), "nobody to bill"
        self.kept.drop("billing", account_id)
        self.kept.put("billing", account_id, json.dumps(write(billing)))
        self._set_block(account_id, "")
        await self.script.leave("open_billing")

    async def block_customer(self, account_id: str, blocked: str) -> None:
        await self.script.enter(SourceSystem.CLOUD_ERP, "block_customer")
        if self.kept.all("customer", account_id):
            self._set_block(account_id, blocked)
        await self.script.leave("block_customer")

    async def customer_values(self, account_ids: Sequence[str]) -> Mapping[str, AccountValues]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "customer_values")
        return {entry: self.values[entry] for entry in account_ids if entry in self.values}

    async def change_customer(self, account_id: str, values: AccountValues) -> None:
        await self.script.enter(SourceSystem.CLOUD_ERP, "change_customer")
        given = {"payment_terms": values.payment_terms, "billing": values.billing}
        changed = {name: value for name, value in given.items() if value is not None}
        self.values[account_id] = replace(self.values[account_id], **changed)
        await self.script.leave("change_customer")

    def _set_block(self, account_id: str, blocked: str) -> None:
        self.kept.drop("block", account_id)
        self.kept.put("block", account_id, blocked)

    async def items(self, skus: Sequence[str]) -> Mapping[str, Item]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "items")
        return {entry: self.items_by_sku[entry] for entry in skus if entry in self.items_by_sku}

    async def item_by_gtin(self, gtin: str) -> Item | None:
        await self.script.enter(SourceSystem.CLOUD_ERP, "item_by_gtin")
        return next(
            (
                entry
                for entry in self.items_by_sku.values()
                if gtin in (entry.gtin, *(unit.gtin for unit in entry.uoms))
            ),
            None,
        )

    async def search_items(self, where: ItemFilter, page: PageRequest) -> Page[Item]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "search_items")
        if page.after is not None and page.after not in self.items_by_sku:
            raise Rejected(SourceSystem.CLOUD_ERP, "search items", "no such cursor", reason=BAD_CURSOR)
        found = [
            entry
            for sku, entry in sorted(self.items_by_sku.items())
            if (where.brand is None or entry.brand == where.brand)
            and (where.status is None or entry.status is where.status)
            and (where.category_code is None or (entry.category and entry.category.code == where.category_code))
            and (where.text is None or f"{sku} {entry.name}".lower().startswith(where.text.lower()))
        ]
        behind = [entry for entry in found if page.after is None or entry.sku > page.after]
        shown = tuple(behind[: page.first])
        return Page(shown, tuple(entry.sku for entry in shown), len(behind) > page.first, len(found))

    async def categories(self, ids: Sequence[str]) -> Mapping[str, Category]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "categories")
        return {entry: self.categories_by_id[entry] for entry in ids if entry in self.categories_by_id}

    async def inbound(self, skus: Sequence[str]) -> Mapping[str, tuple[InboundSupply, ...]]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "inbound")
        return {entry: self.supply.get(entry, ()) for entry in skus}

    async def rules(
        self, account_ids: Sequence[str], price_groups: Sequence[str], skus: Sequence[str]
    ) -> tuple[PriceRule, ...]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "rules")
        return tuple(
            entry
            for entry in self.price_rules
            if (entry.account_id is None or entry.account_id in account_ids)
            and (entry.price_group is None or entry.price_group in price_groups)
            and (entry.sku is None or entry.sku in skus)
        )

    async def agreements_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[PriceRule, ...]]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "agreements_of")
        rules = sorted(self.price_rules, key=lambda entry: entry.number)
        return {name: tuple(entry for entry in rules if entry.account_id == name) for name in account_ids}

    async def exchange_rate(self, base: str, quote: str, on: date) -> Decimal | None:
        await self.script.enter(SourceSystem.CLOUD_ERP, "exchange_rate")
        return self.rates.get((base, quote))

    async def open_values(self, account_ids: Sequence[str]) -> Mapping[str, Money]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "open_values")
        return {entry: self.open[entry] for entry in account_ids if entry in self.open}

    async def find_order(self, key: str) -> ErpOrder | None:
        await self.script.enter(SourceSystem.CLOUD_ERP, "find_order")
        return self.document(key)

    async def orders(self, ids: Sequence[str]) -> Mapping[str, ErpOrder]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "orders")
        found = {entry.id: entry for entry in self.documents() if entry.id in ids}
        if not self.invoiced:
            return found
        return {
            name: replace(entry, lines=tuple(replace(line, invoiced=line.ordered) for line in entry.lines))
            for name, entry in found.items()
        }

    async def orders_by_number(self, numbers: Sequence[str]) -> Mapping[str, ErpOrder]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "orders_by_number")
        return {entry.number: entry for entry in self.documents() if entry.number in numbers}

    async def orders_of(
        self, account_ids: Sequence[str], where: OrderFilter, limit: int
    ) -> Mapping[str, tuple[ErpOrder, ...]]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "orders_of")
        found = _newest([entry for entry in self.documents() if _fulfils(entry, where)])
        return {name: tuple([entry for entry in found if entry.account_id == name][:limit]) for name in account_ids}

    async def search_orders(self, where: OrderFilter, page: PageRequest) -> Page[ErpOrder]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "search_orders")
        found = _newest([entry for entry in self.documents() if _fulfils(entry, where)])
        shown = tuple(found[: page.first])
        return Page(shown, tuple(entry.id for entry in shown), len(found) > len(shown))

    async def invoices(self, ids: Sequence[str]) -> Mapping[str, Invoice]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "invoices")
        return {entry: self.invoices_by_id[entry] for entry in ids if entry in self.invoices_by_id}

    async def invoices_of(self, account_ids: Sequence[str], limit: int) -> Mapping[str, tuple[Invoice, ...]]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "invoices_of")
        found = _per_account(self.invoices_by_id, account_ids)
        return {name: tuple(reversed(entries))[:limit] for name, entries in found.items()}

    async def invoices_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Invoice, ...]]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "invoices_of_orders")
        return _per_order(self.invoices_by_id, order_ids)

    async def posted_after(self, entry: int, limit: int) -> tuple[PostedInvoice, ...]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "posted_after")
        return tuple(posted for posted in self.postings if posted.entry > entry)[:limit]

    async def returns(self, ids: Sequence[str]) -> Mapping[str, Return]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "returns")
        return {entry.id: entry for entry in self._returns().values() if entry.id in ids}

    async def returns_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "returns_of")
        found = _per_account(self._returns(), account_ids)
        return {name: tuple(reversed(entries)) for name, entries in found.items()}

    async def returns_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "returns_of_orders")
        return _per_order(self._returns(), order_ids)

    def _returns(self) -> dict[str, Return]:
        made = [read(Return, json.loads(body)) for body in self.kept.all("rma")]
        return {**self.returns_by_id, **{entry.id: entry for entry in made}}

    async def create_return(self, new: NewReturn) -> Return:
        await self.script.enter(SourceSystem.CLOUD_ERP, "create_return")
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
        await self.script.enter(SourceSystem.CLOUD_ERP, "cancel_return")
        found = self._returns().get(return_id(number))
        if found is not None:
            self._keep_return(replace(found, status=ReturnStatus.CANCELLED))

    async def receive_return(self, key: str, number: str, lines: tuple[ReturnLine, ...]) -> None:
        await self.script.enter(SourceSystem.CLOUD_ERP, "receive_return")
        if not self.kept.all("rma_key", key):
            self.kept.put("rma_key", key, number)
            found = self._returns()[return_id(number)]
            self._keep_return(replace(found, status=ReturnStatus.INSPECTED, lines=lines))
        await self.script.leave("receive_return")

    async def credit_return(self, key: str, number: str) -> Money:
        await self.script.enter(SourceSystem.CLOUD_ERP, "credit_return")
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
        await self.script.enter(SourceSystem.CLOUD_ERP, "replace_return")
        if not self.kept.all("rma_key", key):
            self.kept.put("rma_key", key, number)
            self._keep_return(replace(self._returns()[return_id(number)], status=ReturnStatus.REPLACED))
        await self.script.leave("replace_return")

    def _keep_return(self, entry: Return) -> None:
        self.kept.drop("rma", entry.rma_number)
        self.kept.put("rma", entry.rma_number, json.dumps(write(entry)))

    async def create_order(self, order: NewErpOrder) -> ErpOrder:
        await self.script.enter(SourceSystem.CLOUD_ERP, "create_order")
        made = self._made(order)
        self.kept.put("document", order.key, json.dumps(write(made)))
        await self.script.leave("create_order")
        return made

    async def cancel_order(self, key: str) -> None:
        await self.script.enter(SourceSystem.CLOUD_ERP, "cancel_order")
        found = self.document(key)
        if found is not None:
            self.kept.replace("document", key, json.dumps(write(replace(found, status=OrderStatus.CANCELLED))))
        await self.script.leave("cancel_order")

    async def allocate(self, key: str, order_id: str) -> tuple[AllocationResult, ...]:
        await self.script.enter(SourceSystem.CLOUD_ERP, "allocate")
        document = self.document(f"or:{order_id}:erp")
        assert document is not None, "nothing to allocate"
        if not self.kept.all("allocation", key):
            earlier = self._set_aside(order_id)
            given = {}
            for line in document.lines:
                wanted = line.ordered - line.cancelled - earlier.get(line.line_no, Decimal(0))
                free = self.stock.get((line.sku, _ships_from(line)), wanted)
                given[str(line.line_no)] = [str(min(free, wanted)), str(wanted - min(free, wanted))]
            self.kept.put("allocation", key, json.dumps({"order": order_id, "lines": given}))
        kept = json.loads(self.kept.all("allocation", key)[0])["lines"]
        results = []
        for line in document.lines:
            allocated, short = (Decimal(value) for value in kept.get(str(line.line_no), ("0", "0")))
            entry = AllocationResult(line.line_no, _ships_from(line), allocated, short, date(2026, 3, 5), None)
            results.append(entry)
        await self.script.leave("allocate")
        return tuple(results)

    async def deallocate(self, key: str, order_id: str) -> None:
        await self.script.enter(SourceSystem.CLOUD_ERP, "deallocate")
        self.kept.drop("allocation", key)

    async def change_order(self, change: ErpOrderChange) -> ErpOrder:
        await self.script.enter(SourceSystem.CLOUD_ERP, "change_order")
        found = self.document(f"or:{change.order_id}:erp")
        assert found is not None, "nothing to change"
        if not self.kept.all("change", change.key):
            self.kept.put("change", change.key, change.order_id)
            found = _with_change(found, change)
            self._withdraw(change.order_id, {line.line_no for line in change.lines})
            self.kept.replace("document", f"or:{change.order_id}:erp", json.dumps(write(found)))
        await self.script.leave("change_order")
        return found

    def _set_aside(self, order_id: str) -> dict[int, Decimal]:
        """Return what is set aside per line of an order."""
        found: dict[int, Decimal] = defaultdict(Decimal)
        for body in self.kept.all("allocation"):
            kept = json.loads(body)
            if kept["order"] == order_id:
                for number, (allocated, _) in kept["lines"].items():
                    found[int(number)] += Decimal(allocated)
        return found

    def _withdraw(self, order_id: str, numbers: set[int]) -> None:
        """Give back what is set aside for lines of an order."""
        for key in self.kept.keys("allocation"):
            kept = json.loads(self.kept.all("allocation", key)[0])
            if kept["order"] == order_id:
                kept["lines"] = {name: value for name, value in kept["lines"].items() if int(name) not in numbers}
                self.kept.replace("allocation", key, json.dumps(kept))

    def document(self, key: str) -> ErpOrder | None:
        found = self.kept.all("document", key)
        return read(ErpOrder, json.loads(found[0])) if found else None

    def documents(self) -> list[ErpOrder]:
        created = [read(ErpOrder, json.loads(body)) for body in self.kept.all("document")]
        return [*created, *self.entered.values()]

    def _made(self, order: NewErpOrder) -> ErpOrder:
        lines = tuple(
            ErpLine(
                line_no=line.line_no,
                sku=line.sku,
                description=line.description,
                uom=line.quantity.uom,
                ordered=line.quantity.value,
                allocated=Decimal(0),
                backordered=Decimal(0),
                shipped=Decimal(0),
                invoiced=Decimal(0),
                cancelled=Decimal(0),
                unit_price=self.price_of(line.sku, line.unit_price),
                extended=round_to_minor(line.unit_price.amount * line.quantity.value, order.currency),
                promised_date=None,
                allocations=(),
            )
            for line in order.lines
        )
        total = round_to_minor(sum((line.extended.amount for line in lines), Decimal(0)), order.currency)
        now = datetime.now(UTC)
        return ErpOrder(
            id=order.order_id,
            number=order.number,
            account_id=order.account_id,
            ship_to_id=order.ship_to_id,
            po_number=order.po_number,
            channel=order.channel,
            status=OrderStatus.ACCEPTED,
            currency=order.currency,
            lines=lines,
            subtotal=total,
            tax=Money(Decimal(0), order.currency),
            freight=Money(Decimal(0), order.currency),
            total=total,
            requested_date=order.requested_date,
            promised_date=None,
            submitted_at=now,
            accepted_at=now,
            completed_at=None,
            opportunity_id=order.opportunity_id,
            quote_id=order.quote_id,
            home_erp=SourceSystem.CLOUD_ERP,
            refs=(ExternalRef(SourceSystem.CLOUD_ERP, order.number),),
            etag="1",
        )


def _ships_from(line: ErpLine) -> str:
    return line.allocations[0].warehouse_code if line.allocations else "W01"


def _with_change(document: ErpOrder, change: ErpOrderChange) -> ErpOrder:
    wanted = {line.line_no: line for line in change.lines}
    lines = tuple(
        _with_line_change(line, wanted[line.line_no]) if line.line_no in wanted else line for line in document.lines
    )
    total = round_to_minor(sum((line.extended.amount for line in lines), Decimal(0)), document.currency)
    return replace(document, lines=lines, subtotal=total, total=total, etag=str(int(document.etag) + 1))


def _with_line_change(line: ErpLine, change: ErpLineChange) -> ErpLine:
    return replace(
        line,
        ordered=change.quantity or line.ordered,
        cancelled=Decimal(0) if change.quantity else line.ordered,
        unit_price=change.unit_price,
        extended=round_to_minor(change.unit_price.amount * change.quantity, change.unit_price.currency),
    )


class FakeWms:
    """Stock and releases; ``picked`` warehouses cancel and hold nothing any more."""

    def __init__(self, script: Script, kept: Kept) -> None:
        self.script = script
        self.kept = kept
        self.places: list[Warehouse] = []
        self.positions: list[StockPosition] = []
        self.picked: set[str] = set()
        self.shipments_by_id: dict[str, Shipment] = {}

    async def warehouses(self) -> tuple[Warehouse, ...]:
        await self.script.enter(SourceSystem.WMS, "warehouses")
        return tuple(self.places)

    async def stock(
        self, skus: Sequence[str], warehouse_codes: Sequence[str] | None = None
    ) -> tuple[StockPosition, ...]:
        await self.script.enter(SourceSystem.WMS, "stock")
        return tuple(entry for entry in self.positions if entry.sku in skus)

    async def release(self, request: ReleaseRequest) -> ReleaseResult:
        await self.script.enter(SourceSystem.WMS, "release")
        if not self.kept.all("release", request.key):
            self.kept.put("release", request.key, request.warehouse_code)
            self._take(request)
        await self.script.leave("release")
        return ReleaseResult(f"rel_{request.key}", f"S-{request.warehouse_code}", "ACCEPTED")

    def _take(self, request: ReleaseRequest) -> None:
        taken = {line.sku: line.quantity for line in request.lines}
        self.positions = [
            replace(entry, allocated=entry.allocated + taken[entry.sku])
            if entry.warehouse_code == request.warehouse_code and entry.sku in taken
            else entry
            for entry in self.positions
        ]

    async def cancel_release(self, key: str) -> bool:
        await self.script.enter(SourceSystem.WMS, "cancel_release")
        if self.kept.all("release", key) and self.kept.all("release", key)[0] in self.picked:
            return False
        self.kept.drop("release", key)
        self.kept.drop("held", key)
        await self.script.leave("cancel_release")
        return True

    async def hold_release(self, key: str) -> HoldOutcome:
        await self.script.enter(SourceSystem.WMS, "hold_release")
        if not self.kept.all("release", key):
            return HoldOutcome.GONE
        if self.kept.all("release", key)[0] in self.picked:
            return HoldOutcome.PICKED
        if not self.kept.all("held", key):
            self.kept.put("held", key, "")
        await self.script.leave("hold_release")
        return HoldOutcome.HELD

    async def resume_release(self, key: str) -> None:
        await self.script.enter(SourceSystem.WMS, "resume_release")
        self.kept.drop("held", key)

    async def expect_return(self, expected: ExpectedReturn) -> None:
        await self.script.enter(SourceSystem.WMS, "expect_return")
        if not self.kept.all("expected", expected.key):
            self.kept.put("expected", expected.key, expected.warehouse_code)
        await self.script.leave("expect_return")

    async def cancel_return(self, key: str) -> bool:
        await self.script.enter(SourceSystem.WMS, "cancel_return")
        self.kept.drop("expected", key)
        return True

    async def shipments(self, ids: Sequence[str]) -> Mapping[str, Shipment]:
        await self.script.enter(SourceSystem.WMS, "shipments")
        return {entry: self.shipments_by_id[entry] for entry in ids if entry in self.shipments_by_id}

    async def shipments_of(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Shipment, ...]]:
        await self.script.enter(SourceSystem.WMS, "shipments_of")
        return _per_order(self.shipments_by_id, order_ids)


class FakeTms:
    """Loads."""

    def __init__(self, script: Script, kept: Kept) -> None:
        self.script = script
        self.kept = kept
        self.loads: dict[str, Tracking] = {}

    async def tracking(self, shipment_numbers: Sequence[str]) -> Mapping[str, Tracking]:
        await self.script.enter(SourceSystem.TMS, "tracking")
        return {entry: self.loads[entry] for entry in shipment_numbers if entry in self.loads}

    async def tender(self, request: TenderRequest) -> Tracking:
        await self.script.enter(SourceSystem.TMS, "tender")
        if not self.kept.all("tender", request.key):
            self.kept.put("tender", request.key, request.shipment_number)
        found = self.loads.setdefault(request.shipment_number, tracking(request.shipment_number))
        await self.script.leave("tender")
        return found

    async def by_tracking_number(self, tracking_number: str) -> Tracking | None:
        await self.script.enter(SourceSystem.TMS, "by_tracking_number")
        return next((entry for entry in self.loads.values() if entry.tracking_number == tracking_number), None)


def tracking(number: str, *milestones: Milestone, **changes: Any) -> Tracking:
    made = Tracking(
        shipment_number=number,
        carrier="EXMP",
        tracking_number=f"PRO{number}",
        status=milestones[-1].status if milestones else ShipmentStatus.PLANNED,
        milestones=milestones,
        estimated_delivery=None,
        delivered_at=None,
        proof_of_delivery_url=None,
    )
    return replace(made, **changes)
