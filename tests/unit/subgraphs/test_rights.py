"""Every root field and reference of every subgraph, with every role: a new field fails until it is in the table."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from graphql import ObjectTypeDefinitionNode, parse

from crossdock.migrations import upgrade
from schema.enums import SourceSystem
from schema.records.identity import OPERATIONS
from tests.support import subgraph_requests as requests
from tests.support.rights_world import LET_IN, NEIGHBOURS, ROLES, SUBGRAPHS, RightsWorld, rights_world

EVERYBODY = frozenset(ROLES)
WHO = {**ROLES, **{name: who for name, (_, who) in NEIGHBOURS.items()}}
STAFF = frozenset({"SALES", "SALES_MANAGER", "SERVICE_DESK", "OPERATIONS", "CREDIT_CONTROLLER", "PRICING_DESK"})
OWN = frozenset({"PORTAL_BUYER", "PORTAL_ADMIN", "INTEGRATION"})
"""Who is bound to acc_1, whose everything in the world is; SIBLING is bound to acc_2, STRANGER to nothing."""


@dataclass(frozen=True)
class Rights:
    """Who sees or does something, and who is told that it may not; all others learn what they would of nothing.

    What ``belongs`` to acc_1 is nothing for those of our people who do not work with it and for a buyer of its parent.
    What is ``placed`` belongs to its order's warehouse, too, and is nothing for operations of others.
    It ``hides`` when that counts, for our people, before what their role may do.
    """

    seen: frozenset[str]
    forbidden: frozenset[str] = frozenset()
    belongs: bool = True
    hides: bool = False
    placed: bool = False

    def expected(self) -> dict[str, str]:
        """Return how each role fares, and those beside it."""
        told = {role: "FORBIDDEN" if role in self.forbidden else "NOTHING" for role in ROLES}
        told |= dict.fromkeys(self.seen, "SEEN")
        for name, (role, _) in NEIGHBOURS.items():
            is_bound = self.placed if role == OPERATIONS else self.belongs
            is_refused = is_bound and name not in LET_IN and (role in self.seen or (self.hides and role in STAFF))
            told[name] = "NOTHING" if is_refused else told[role]
        return told


def only(*roles: str, belongs: bool = True, hides: bool = False, placed: bool = False) -> Rights:
    """Return that these may, and that all others are told that they may not."""
    return Rights(frozenset(roles), EVERYBODY - frozenset(roles), belongs, hides, placed)


ALL = Rights(EVERYBODY, belongs=False)
KNOWN = Rights(EVERYBODY - {"STRANGER"}, belongs=False)
ACCOUNT = Rights(STAFF | OWN)
ORDER = Rights(STAFF | OWN, placed=True)
INSIDE = Rights(STAFF, belongs=False)
TASKS = Rights(STAFF, placed=True)
ORDERING = Rights(
    frozenset({"SALES", "SALES_MANAGER", "SERVICE_DESK"}) | OWN,
    frozenset({"OPERATIONS", "CREDIT_CONTROLLER", "PRICING_DESK", "STRANGER"}),
)

CHANGING = only("SALES", "SALES_MANAGER", "SERVICE_DESK", "INTEGRATION")
HOLDING = only("SALES", "SALES_MANAGER", "INTEGRATION")
RETURNING = Rights(
    frozenset({"SERVICE_DESK"}) | OWN,
    frozenset({"SALES", "SALES_MANAGER", "OPERATIONS", "CREDIT_CONTROLLER", "PRICING_DESK", "STRANGER"}),
)

# KEY is an idempotency key, SAID what a payload says is wrong, @ the cursor before everything that happened.
ROOTS: Mapping[str, tuple[Rights, str]] = {
    "accounts.Query.viewer": (
        Rights(EVERYBODY - {"STRANGER"}, frozenset({"STRANGER"}), belongs=False),
        "viewer { id }",
    ),
    "accounts.Query.account": (ACCOUNT, 'account(id: "acc_1") { id }'),
    "accounts.Query.accountByNumber": (ACCOUNT, 'accountByNumber(number: "C-10042") { id }'),
    "accounts.Query.accountByExternalRef": (
        ACCOUNT,
        'accountByExternalRef(system: CRM, externalId: "001A") { id }',
    ),
    "accounts.Query.accounts": (KNOWN, "accounts { nodes { id } }"),
    "accounts.Query.onboarding": (INSIDE, 'onboarding(id: "onb_1") { id }'),
    "accounts.Query.onboardings": (INSIDE, "onboardings { nodes { id } }"),
    "accounts.Query.serviceCase": (ACCOUNT, 'serviceCase(id: "cas_1") { id }'),
    "accounts.Mutation.onboardingSubmit": (
        only("SALES", "SALES_MANAGER", "INTEGRATION", belongs=False),
        (
            'onboardingSubmit(input: {KEY, legalName: "New Inc.", billing: {line1: "1 Way", '
            'city: "X", postalCode: "77001", country: "US", region: "TX"}, shipTo: [{line1: "1 '
            'Way", city: "X", postalCode: "77001", country: "US", region: "TX"}], contactEmail: '
            '"p@example.com", contactName: "Pia", taxRegistrations: [], currency: "USD"}) { SAID '
            "}"
        ),
    ),
    "accounts.Mutation.onboardingDecide": (
        only("CREDIT_CONTROLLER"),
        'onboardingDecide(input: {KEY, onboardingId: "onb_1", version: 1, approve: true, comment: "c"}) { SAID }',
    ),
    "accounts.Mutation.accountChange": (
        only("SALES", "SALES_MANAGER", "SERVICE_DESK", "CREDIT_CONTROLLER"),
        'accountChange(input: {KEY, accountId: "acc_1", version: 1, ownerId: "usr_1"}) { SAID }',
    ),
    "accounts.Mutation.accountMerge": (
        only("SALES_MANAGER", "CREDIT_CONTROLLER"),
        'accountMerge(input: {KEY, survivorId: "acc_1", duplicateId: "acc_1", comment: "c"}) { SAID }',
    ),
    "accounts.Mutation.caseOpen": (
        ORDERING,
        'caseOpen(input: {KEY, accountId: "acc_1", subject: "s", body: "b"}) { SAID }',
    ),
    "catalog.Query.item": (ALL, 'item(id: "itm_PMP-0042") { sku }'),
    "catalog.Query.itemBySku": (ALL, 'itemBySku(sku: "PMP-0042") { sku }'),
    "catalog.Query.itemByGtin": (ALL, 'itemByGtin(gtin: "9521234000019") { sku }'),
    "catalog.Query.items": (ALL, "items { nodes { sku } }"),
    "catalog.Query.prices": (
        ACCOUNT,
        (
            'prices(accountId: "acc_1", lines: [{sku: "PMP-0042", quantity: {value: "1", uom: '
            '"EA"}}]) { ... on Price { sku } ... on ValidationFailed { rule } }'
        ),
    ),
    "inventory.Query.warehouse": (ALL, 'warehouse(code: "W01") { code }'),
    "inventory.Query.warehouses": (ALL, "warehouses { code }"),
    "inventory.Mutation.inventoryReserve": (
        HOLDING,
        (
            'inventoryReserve(input: {KEY, accountId: "acc_1", lines: [{sku: "PMP-0042", '
            'quantity: {value: "1", uom: "EA"}}]}) { SAID }'
        ),
    ),
    "inventory.Mutation.inventoryReservationRelease": (
        HOLDING,
        'inventoryReservationRelease(KEY, reservationIds: ["rsv_key:1:W01"]) { SAID }',
    ),
    "operations.Query.lineage": (ORDER, 'lineage(correlationId: "ord_1") { type }'),
    "operations.Query.process": (ORDER, 'process(id: "prc_1") { id }'),
    "operations.Query.exceptionTasks": (TASKS, "exceptionTasks { nodes { id } }"),
    "operations.Query.deadLetters": (only("OPERATIONS", placed=True), "deadLetters { nodes { id } }"),
    "operations.Query.systems": (only("OPERATIONS"), "systems { system }"),
    "operations.Query.kpi": (
        INSIDE,
        'kpi(name: INTEGRATION_INCIDENTS, from: "2026-01-01", to: "2026-12-31") { value }',
    ),
    "operations.Query.systemOfRecord": (ALL, "systemOfRecord { object }"),
    "operations.Mutation.exceptionTaskClaim": (
        only("CREDIT_CONTROLLER", hides=True, placed=True),
        'exceptionTaskClaim(id: "tsk_1") { SAID }',
    ),
    "operations.Mutation.exceptionTaskResolve": (
        only("CREDIT_CONTROLLER", hides=True, placed=True),
        'exceptionTaskResolve(KEY, id: "tsk_1", resolution: "RELEASE", comment: "c") { SAID }',
    ),
    "operations.Mutation.messagesReplay": (
        only("OPERATIONS", placed=True),
        'messagesReplay(input: {KEY, deadLetterIds: ["dl_1"]}) { SAID }',
    ),
    "operations.Mutation.processRetry": (
        only("OPERATIONS", placed=True),
        'processRetry(KEY, processId: "prc_1") { SAID }',
    ),
    "orders.Query.return": (ORDER, 'return(id: "rma_R-1") { id }'),
    "orders.Query.quote": (ORDER, 'quote(id: "quo_1") { id }'),
    "orders.Query.order": (ORDER, 'order(id: "ord_1") { id }'),
    "orders.Query.orderByNumber": (ORDER, 'orderByNumber(number: "SO-300001") { id }'),
    "orders.Query.orders": (ORDER, "orders { nodes { id } }"),
    "orders.Query.shipment": (ORDER, 'shipment(id: "sh_S-1") { id }'),
    "orders.Query.shipmentByTracking": (ORDER, 'shipmentByTracking(trackingNumber: "PROS-1") { id }'),
    "orders.Query.invoiceByNumber": (ORDER, 'invoiceByNumber(number: "INV-1") { id }'),
    "orders.Mutation.quoteDecide": (
        only("SALES_MANAGER", "PRICING_DESK"),
        'quoteDecide(KEY, quoteId: "quo_1", version: 1, approve: true, comment: "c") { SAID }',
    ),
    "orders.Mutation.orderHoldRelease": (
        only("CREDIT_CONTROLLER"),
        'orderHoldRelease(input: {KEY, orderId: "ord_1", kind: CREDIT, comment: "c"}) { SAID }',
    ),
    "orders.Mutation.orderSubmit": (
        ORDERING,
        (
            'orderSubmit(input: {KEY, accountId: "acc_1", shipToId: "shp_1", channel: MOBILE, '
            'lines: [{lineNo: 1, sku: "PMP-0042", quantity: {value: "1", uom: "EA"}}]}) { SAID }'
        ),
    ),
    "orders.Mutation.quotePrepare": (
        only("SALES", "SALES_MANAGER", "INTEGRATION"),
        (
            'quotePrepare(input: {KEY, accountId: "acc_1", lines: [{lineNo: 1, sku: "PMP-0042", '
            'quantity: {value: "1", uom: "EA"}}]}) { SAID }'
        ),
    ),
    "orders.Mutation.orderChange": (
        CHANGING,
        (
            'orderChange(input: {KEY, orderId: "ord_1", version: 1, lines: [{lineNo: 1, '
            'quantity: {value: "2", uom: "EA"}}], reason: "r"}) { SAID }'
        ),
    ),
    "orders.Mutation.orderCancel": (
        ORDERING,
        'orderCancel(input: {KEY, orderId: "ord_1", version: 1, reason: "r"}) { SAID }',
    ),
    "orders.Mutation.returnRequest": (
        RETURNING,
        (
            'returnRequest(input: {KEY, orderId: "ord_1", lines: [{lineNo: 1, quantity: {value: '
            '"1", uom: "EA"}, reason: "DAMAGED"}]}) { SAID }'
        ),
    ),
    "orders.Mutation.returnDecide": (
        Rights(frozenset(), EVERYBODY - {"SERVICE_DESK", "OPERATIONS"}),
        'returnDecide(KEY, returnId: "rma_R-1", approve: true, comment: "c") { SAID }',
    ),
}

STREAMS: Mapping[str, tuple[Rights, str]] = {
    "accounts.Subscription.accountChanged": (ACCOUNT, 'accountChanged(accountId: "acc_1", after: "@") { eventId }'),
    "accounts.Subscription.onboardingChanged": (INSIDE, 'onboardingChanged(id: "onb_1", after: "@") { eventId }'),
    "catalog.Subscription.priceChanged": (
        ACCOUNT,
        'priceChanged(accountId: "acc_1", skus: ["PMP-0042"], after: "@") { eventId }',
    ),
    "inventory.Subscription.availabilityChanged": (
        Rights(STAFF, EVERYBODY - STAFF, belongs=False),
        'availabilityChanged(skus: ["PMP-0042"], after: "@") { eventId }',
    ),
    "operations.Subscription.processChanged": (ORDER, 'processChanged(id: "prc_1", after: "@") { eventId }'),
    "operations.Subscription.exceptionTaskChanged": (
        Rights(STAFF, EVERYBODY - STAFF, placed=True),
        'exceptionTaskChanged(after: "@") { eventId }',
    ),
    "orders.Subscription.orderStatusChanged": (
        ORDER,
        'orderStatusChanged(orderId: "ord_1", after: "@") { eventId }',
    ),
    "orders.Subscription.shipmentMilestone": (
        ORDER,
        'shipmentMilestone(orderId: "ord_1", after: "@") { eventId }',
    ),
    "orders.Subscription.invoicePosted": (ORDER, 'invoicePosted(accountId: "acc_1", after: "@") { eventId }'),
    "orders.Subscription.returnStatusChanged": (
        ORDER,
        'returnStatusChanged(returnId: "rma_R-1", after: "@") { eventId }',
    ),
}

REFERENCES: Mapping[str, tuple[Rights, Mapping[str, Any], str]] = {
    "accounts.Account": (ACCOUNT, {"id": "acc_1"}, "name"),
    "accounts.Contact": (ACCOUNT, {"id": "con_1"}, "name"),
    "accounts.Opportunity": (ACCOUNT, {"id": "opp_9"}, "name"),
    "accounts.ServiceCase": (ACCOUNT, {"id": "cas_1"}, "number"),
    "accounts.OnboardingRequest": (INSIDE, {"id": "onb_1"}, "status"),
    "accounts.ShipTo": (ACCOUNT, {"id": "shp_1"}, "code"),
    "accounts.Territory": (KNOWN, {"id": "ter_1"}, "name"),
    "accounts.User": (KNOWN, {"id": "usr_1"}, "name"),
    "catalog.Account": (ACCOUNT, {"id": "acc_1"}, "agreements { nodes { id } }"),
    "catalog.Category": (ALL, {"id": "cat_1"}, "name"),
    "catalog.Item": (ALL, {"id": "itm_PMP-0042"}, "sku"),
    "catalog.PriceAgreement": (ACCOUNT, {"id": "agr_acc_1:rule_deal"}, "number"),
    "inventory.Item": (
        INSIDE,
        {"id": "itm_PMP-0042", "baseUom": "EA", "uoms": [{"uom": "EA", "perBase": "1"}]},
        "stock { id }",
    ),
    "inventory.Reservation": (ACCOUNT, {"id": "rsv_key:1:W01"}, "status"),
    "inventory.ShipTo": (
        ALL,
        {"id": "shp_1", "address": {"country": "US", "region": "TX", "postalCode": "77001"}},
        "sourcing { rank }",
    ),
    "inventory.StockPosition": (INSIDE, {"id": "stk_PMP-0042:W01"}, "onHand { value }"),
    "inventory.Warehouse": (ALL, {"code": "W01"}, "name"),
    "operations.Account": (ACCOUNT, {"id": "acc_1"}, "lineage { nodes { type } }"),
    "operations.DeadLetter": (Rights(frozenset({"OPERATIONS"}), placed=True), {"id": "dl_1"}, "type"),
    "operations.ExceptionTask": (TASKS, {"id": "tsk_1"}, "kind"),
    "operations.Order": (ORDER, {"id": "ord_1"}, "lineage { nodes { type } }"),
    "operations.ProcessInstance": (ORDER, {"id": "prc_1"}, "kind"),
    "operations.Quote": (ORDER, {"id": "quo_1"}, "lineage { nodes { type } }"),
    "orders.Account": (ORDER, {"id": "acc_1"}, "orders { nodes { id } }"),
    "orders.Invoice": (ORDER, {"id": "inv_INV-1"}, "number"),
    "orders.Opportunity": (ORDER, {"id": "opp_9"}, "quotes { id }"),
    "orders.Order": (ORDER, {"id": "ord_1"}, "number"),
    "orders.OrderLine": (ORDER, {"id": "ord_1:1"}, "lineNo"),
    "orders.Quote": (ORDER, {"id": "quo_1"}, "number"),
    "orders.Return": (ORDER, {"id": "rma_R-1"}, "rmaNumber"),
    "orders.Shipment": (ORDER, {"id": "sh_S-1"}, "number"),
}
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RightsWorld]:
    """Make the world once: who reads changes nothing."""
    async with rights_world(await _database(tmp_path_factory)) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workplace(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RightsWorld]:
    """Make another world for those who act; rights depend on nothing that they change."""
    async with rights_world(await _database(tmp_path_factory)) as made:
        yield made


async def _database(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('rights') / 'crossdock.db'}"
    await upgrade(url)
    return url


def definitions(subgraph: str) -> list[ObjectTypeDefinitionNode]:
    schema = getattr(importlib.import_module(f"subgraphs.{subgraph}.app"), f"{subgraph}_schema")
    return [entry for entry in parse(schema.as_str()).definitions if isinstance(entry, ObjectTypeDefinitionNode)]


@pytest.mark.parametrize("subgraph", SUBGRAPHS)
async def test_every_root_field_and_every_reference_is_in_the_table(subgraph: str):
    roots, references = set(), set()
    for entry in definitions(subgraph):
        name = entry.name.value
        if name in ("Query", "Mutation", "Subscription"):
            fields = (field.name.value for field in entry.fields or ())
            roots |= {f"{subgraph}.{name}.{field}" for field in fields if not field.startswith("_")}
        keys = [directive for directive in entry.directives or () if directive.name.value == "key"]
        arguments = [{argument.name.value: argument.value for argument in key.arguments or ()} for key in keys]
        if any(getattr(given.get("resolvable"), "value", True) for given in arguments):
            references.add(f"{subgraph}.{name}")
    ours = {name for name in (*ROOTS, *STREAMS) if name.startswith(f"{subgraph}.")}
    assert roots == ours
    assert references == {name for name in REFERENCES if name.startswith(f"{subgraph}.")}


def written(field: str) -> str:
    return field.replace("KEY", 'idempotencyKey: "k"').replace("SAID", "problems { ... on ValidationFailed { rule } }")


@pytest.mark.parametrize("name", ROOTS)
async def test_a_root_field_answers_each_role_by_its_rights(place: RightsWorld, workplace: RightsWorld, name: str):
    rights, field = ROOTS[name]
    subgraph, kind, _ = name.split(".")
    where = workplace if kind == "Mutation" else place
    query = f"{kind.lower()} {{ {written(field)} }}"
    assert {name: await where.fares(subgraph, query, who) for name, who in WHO.items()} == rights.expected()


@pytest.mark.parametrize("name", REFERENCES)
async def test_a_reference_is_resolved_for_each_role_by_its_rights(place: RightsWorld, name: str):
    rights, key, fields = REFERENCES[name]
    subgraph, _, kind = name.partition(".")
    named, selection = {"__typename": kind, **key}, f"... on {kind} {{ {fields} }}"
    found = {name: await place.resolves(subgraph, named, selection, who) for name, who in WHO.items()}
    assert found == rights.expected()


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_tells_each_role_by_its_rights(place: RightsWorld, name: str):
    rights, field = STREAMS[name]
    subgraph = name.partition(".")[0]
    query = f"subscription {{ {field.replace('@', place.cursor)} }}"
    wanted = rights.expected()
    told = (place.streams(subgraph, query, who, is_told=wanted[name] != "NOTHING") for name, who in WHO.items())
    assert dict(zip(WHO, await asyncio.gather(*told), strict=True)) == wanted


async def test_while_nobody_says_what_somebody_works_with_the_system_is_named_and_nothing_shown(
    tmp_path_factory: pytest.TempPathFactory,
):
    async with rights_world(await _database(tmp_path_factory)) as made:
        made.world.script.down.add(SourceSystem.CRM)
        query = '{ order(id: "ord_1") { id } }'
        answer = await requests.ask(made.apps["orders"], query, requests.staff())
        everybody = await requests.ask(made.apps["orders"], query, requests.staff(role="FINANCE"))
    (error,) = answer["errors"]
    assert answer["data"] is None
    assert error["extensions"] == {"code": "SYSTEM_UNAVAILABLE", "system": "CRM", "retryable": True}
    assert everybody == {"data": {"order": {"id": "ord_1"}}}
