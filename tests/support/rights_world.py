"""All five subgraphs over one world with one of everything of ``acc_1``, and how each role fares with a field."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from gateway.server.principal import Principal as Caller
from processes.decider import EngineDecider
from processes.dependencies import Dependencies
from processes.journal import write
from resolvers.rows import RowRules
from schema.enums import CaseStatus, OnboardingStatus, SourceSystem
from schema.records.accounts import Contact, ServiceCase, Territory, User
from schema.records.catalog import Category, PriceLevel
from schema.records.identity import OPERATIONS, TERRITORY_ROLES, Principal
from schema.records.inventory import ReserveLine
from schema.records.onboarding import Applicant, Onboarding
from schema.records.values import ExternalRef
from subgraphs.context import RequestContext
from systems.health import HealthBoard
from tests.support import subgraph_requests as requests
from tests.support.fake_systems import account, tracking
from tests.support.order_records import document, invoice, recorded, rma, set_aside, shipment, told
from tests.support.platform_records import letter, process, quote, task
from tests.support.process_world import ProcessWorld, process_world
from tests.support.rule_records import NOW, address, rule

__all__ = ["LET_IN", "NEIGHBOURS", "ROLES", "SUBGRAPHS", "RightsWorld", "rights_world"]

SUBGRAPHS: Mapping[str, tuple[str, str, str]] = {
    "accounts": ("resolvers.accounts.ports.AccountPorts", "resolvers.accounts.reader.AccountReader", "build_accounts"),
    "catalog": ("resolvers.catalog.ports.CatalogPorts", "resolvers.catalog.reader.CatalogReader", "build_catalog"),
    "inventory": (
        "resolvers.inventory.ports.InventoryPorts",
        "resolvers.inventory.reader.InventoryReader",
        "build_inventory",
    ),
    "operations": (
        "resolvers.operations.ports.OperationsPorts",
        "resolvers.operations.reader.OperationsReader",
        "build_operations",
    ),
    "orders": ("resolvers.orders.ports.OrderPorts", "resolvers.orders.answers.OrderAnswers", "build_orders"),
}
"""Per subgraph: its ports, its reader, and what builds it."""

HERE = ("ter_1",)


WORKS_AT = ("W01",)


def _operator(name: str, *warehouses: str) -> Principal:
    return Principal(f"user:{name}", ("OPERATIONS",), ("ops:read", "ops:replay"), warehouses=warehouses)


def _elsewhere(role: str, *scopes: str) -> Principal:
    return Principal(f"user:{role.lower()}_elsewhere", (role,), scopes, territories=("ter_2",))


ROLES: Mapping[str, Principal] = {
    role: Principal(
        f"user:{role.lower()}", (role,), scopes, accounts, HERE if role in TERRITORY_ROLES else (), WORKS_AT
    )
    for role, scopes, accounts in (
        ("SALES", (), None),
        ("SALES_MANAGER", ("quote:approve", "margin:read"), None),
        ("SERVICE_DESK", (), None),
        ("OPERATIONS", ("ops:read", "ops:replay"), None),
        ("CREDIT_CONTROLLER", ("credit:read", "hold:release", "onboarding:decide"), None),
        ("PRICING_DESK", ("quote:approve",), None),
        ("PORTAL_BUYER", (), ("acc_1",)),
        ("PORTAL_ADMIN", (), ("acc_1",)),
        ("INTEGRATION", (), ("acc_1",)),
    )
} | {
    "SIBLING": Principal("user:sibling", ("PORTAL_BUYER",), ("ops:read", "ops:replay", "hold:release"), ("acc_2",)),
    "STRANGER": Principal("user:anonymous", accounts=()),
}
"""The roles of the authorization table with their scopes; a sibling's buyer with scopes that are not its; nobody.

``acc_1`` lies in the territory of those who are bound to one; its order leaves from their warehouse.
"""

NEIGHBOURS: Mapping[str, tuple[str, Principal]] = {
    "OWNER": ("SALES", Principal("user:usr_9", ("SALES",))),
    "ADMIN_ABOVE": ("PORTAL_ADMIN", Principal("user:pam", ("PORTAL_ADMIN",), (), ("acc_0",))),
    "REP_ELSEWHERE": ("SALES", _elsewhere("SALES")),
    "MANAGER_ELSEWHERE": ("SALES_MANAGER", _elsewhere("SALES_MANAGER", "quote:approve", "margin:read")),
    "AGENT_ELSEWHERE": ("SERVICE_DESK", _elsewhere("SERVICE_DESK")),
    "OPERATOR_EVERYWHERE": (OPERATIONS, _operator("olga", "*")),
    "OPERATOR_ELSEWHERE": (OPERATIONS, _operator("otto", "W02", "W03")),
    "OPERATOR_NOWHERE": (OPERATIONS, _operator("oona")),
    "BUYER_ABOVE": ("PORTAL_BUYER", Principal("user:pat", ("PORTAL_BUYER",), (), ("acc_0",))),
}
"""Who has a role of the table beside ``acc_1``: its owner, who has no territory, and an administrator of its parent see
what the role does, and so do operations of all warehouses; for those of another territory and for a buyer of its parent
there is no ``acc_1``, for operations of other warehouses or of none no order of it."""

LET_IN = frozenset({"OWNER", "ADMIN_ABOVE", "OPERATOR_EVERYWHERE"})
"""The neighbours that see what belongs to ``acc_1`` and leaves from its warehouse."""

_PATIENCE_S = 30.0
"""A stream that should tell something does, however slow the machine is."""

_STREAM_S = 0.4
"""A stream that has told nothing of the backlog by then tells nothing of it."""


class _Reached(Exception):
    """Somebody was let through to where processes run."""


class _Beyond:
    """Stands for the engine and the inbox: whoever comes here had the right to."""

    undecided = 0

    def __init__(self, use: Dependencies) -> None:
        self.dependencies = use

    def __getattr__(self, name: str) -> Any:
        async def reached(*_: Any, **__: Any) -> Any:
            raise _Reached(name)

        return reached


@dataclass
class RightsWorld:
    """The subgraphs and the world below them."""

    world: ProcessWorld
    apps: dict[str, Any]
    ports: dict[str, Any]
    rows: RowRules
    cursor: str

    async def fares(self, subgraph: str, query: str, who: Principal) -> str:
        """Return SEEN, NOTHING or FORBIDDEN for a query or mutation, by its first field."""
        answer = await requests.ask(self.apps[subgraph], query, _caller(who))
        codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
        if "FORBIDDEN" in codes:
            return "FORBIDDEN"
        if codes == {"INTERNAL_ERROR"} and query.startswith("mutation"):
            return "SEEN"
        assert not codes, answer["errors"]
        (value,) = answer["data"].values()
        return "SEEN" if _tells(value) else "NOTHING"

    async def resolves(self, subgraph: str, representation: Mapping[str, Any], fields: str, who: Principal) -> str:
        """Return how a reference with these fields fares."""
        query = f"query ($of: [_Any!]!) {{ _entities(representations: $of) {{ {fields} }} }}"
        answer = await requests.ask(self.apps[subgraph], query, _caller(who), of=[dict(representation)])
        codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
        if "FORBIDDEN" in codes:
            return "FORBIDDEN"
        assert not codes, answer["errors"]
        return "SEEN" if _tells(answer["data"]["_entities"]) else "NOTHING"

    async def streams(self, subgraph: str, query: str, who: Principal, *, is_told: bool) -> str:
        """Return how a subscription that begins before everything that happened fares; ``is_told`` has patience."""
        who = await self.rows.bind(who)
        module = importlib.import_module(f"subgraphs.{subgraph}.app")
        reader = _load(SUBGRAPHS[subgraph][1])
        context = RequestContext(who, lambda principal: reader(self.ports[subgraph], principal))
        stream: Any = await getattr(module, f"{subgraph}_schema").subscribe(query, context_value=context)
        async with aclosing(stream) as events:
            try:
                async with asyncio.timeout(_PATIENCE_S if is_told else _STREAM_S):
                    result = await anext(events, None)
            except TimeoutError:
                return "NOTHING"
        if result is None:
            return "NOTHING"
        codes = {(error.extensions or {}).get("code") for error in result.errors or ()}
        if not codes:
            return "SEEN"
        assert codes <= {"FORBIDDEN", "NOT_FOUND"}, result.errors
        return "FORBIDDEN" if "FORBIDDEN" in codes else "NOTHING"


@asynccontextmanager
async def rights_world(database_url: str) -> AsyncIterator[RightsWorld]:
    """Make the world."""
    async with process_world(database_url) as world:
        cursor = await _fill(world)
        ports = {name: _ports(_load(path), world) for name, (path, _, _) in SUBGRAPHS.items()}
        rows, apps = RowRules(world.crm, world.use.clock), {}
        for name, (_, _, build) in SUBGRAPHS.items():
            module = importlib.import_module(f"subgraphs.{name}.app")
            apps[name] = getattr(module, build)(ports[name], requests.CLAIMS, rows=rows)
        yield RightsWorld(world, apps, ports, rows, cursor)


async def _fill(world: ProcessWorld) -> str:
    """Put one of everything of acc_1 in; return the cursor before everything that happened."""
    use, crm, erp = world.use, world.crm, world.erp
    west, east = Territory("ter_1", "W", "West"), Territory("ter_2", "E", "East")
    refs = (ExternalRef(SourceSystem.CRM, "001A"),)
    crm.known["acc_1"] = replace(crm.known["acc_1"], refs=refs, territory=west, owner_id="usr_9", parent_id="acc_0")
    crm.known["acc_0"] = account("acc_0", "C-10040")
    crm.known["acc_2"] = account("acc_2", "C-10043", territory=east)
    erp.items_by_sku["PMP-0042"] = replace(erp.items_by_sku["PMP-0042"], gtin="9521234000019")
    crm.users_by_id = {"usr_1": User("usr_1", "Ann", ("SALES",))}
    crm.territories_by_id = {"ter_1": west, "ter_2": east}
    crm.people = {"con_1": Contact("con_1", "acc_1", "Pia", None, None, None)}
    crm.cases_by_id = {
        "cas_1": ServiceCase("cas_1", "acc_1", "1", "Late", CaseStatus.OPEN, "High", NOW, None, None, "ord_1")
    }
    erp.categories_by_id = {"cat_1": Category("cat_1", "PMP", "Pumps", None)}
    erp.entered["ord_1"] = document()
    erp.invoices_by_id["inv_INV-1"] = invoice()
    erp.returns_by_id["rma_R-1"] = rma()
    world.wms.shipments_by_id["sh_S-1"] = shipment()
    world.tms.loads["S-1"] = tracking("S-1")
    (first,) = await use.events.append([told("before everything", "system.noted", partition_key="-", account_id=None)])
    await use.orders.create(set_aside(recorded(quote_id="quo_1", opportunity_id="opp_9"), "W01"))
    await use.quotes.save(quote(1, opportunity_id="opp_9", order_id="ord_1"))
    await use.process_log.start(process())
    await use.tasks.open_task(task())
    await use.dead_letters.put(letter(order_id="ord_1"))
    line = ReserveLine(1, "PMP-0042", "W01", Decimal(1), "EA", limit=Decimal(100))
    await use.reservations.reserve("key", "acc_1", [line], NOW + timedelta(hours=1), NOW)
    await use.stock.record(world.wms.positions, NOW)
    await use.onboardings.create(_onboarding())
    ids = {"process": "prc_1", "task": "tsk_1"}
    await use.events.append(
        [
            told("changed", "account.changed", subject="acc_1", partition_key="acc_1", correlation_id="acc_1"),
            told("accepted", "order.accepted", data={"processId": ids["process"]}),
            told(
                "shipped", "shipment.shipped", subject="sh_S-1", system=SourceSystem.WMS, data={"shipmentNumber": "S-1"}
            ),
            told("posted", "invoice.posted", subject="inv_INV-1", data={"number": "INV-1", "invoiceId": "inv_INV-1"}),
            told("requested", "return.requested", subject="rma_R-1", partition_key="rma_R-1"),
            told("opened", "task.opened", subject=ids["task"], data={"taskId": ids["task"], "queue": "CREDIT"}),
            told(
                "failed", "process.step.failed", subject=ids["process"], data={"processId": ids["process"], "step": "x"}
            ),
            told(
                "submitted",
                "account.onboarding.submitted",
                subject="onb_1",
                partition_key="onb_1",
                correlation_id="onb_1",
                data={"onboardingId": "onb_1"},
            ),
            told(
                "stock",
                "inventory.position.changed",
                subject="PMP-0042:W01",
                partition_key="PMP-0042:W01",
                account_id=None,
                data={"sku": "PMP-0042", "warehouseCode": "W01"},
            ),
            told(
                "price",
                "price.changed",
                subject="itm_PMP-0042",
                partition_key="acc_1:PMP-0042",
                data={
                    "sku": "PMP-0042",
                    "effectiveFrom": NOW.date().isoformat(),
                    "before": None,
                    "after": write(rule("deal", PriceLevel.CONTRACT, "36.10", account="acc_1")),
                },
            ),
        ]
    )
    await world.facts.catch_up()
    return first.event.id


def _onboarding() -> Onboarding:
    applicant = Applicant("New Inc.", address(), (address(),), "Pia", "pia@example.com", (), "USD")
    return Onboarding("onb_1", 1, OnboardingStatus.SUBMITTED, applicant, "acc_new", (), "user:sales", NOW, "prc_1")


def _ports(kind: Any, world: ProcessWorld) -> Any:
    """Return ports over the world; where processes run nothing does, it is only seen who gets there."""
    use = world.use
    beyond: Any = _Beyond(use)
    desk = EngineDecider(beyond, beyond)
    known: dict[str, Any] = {
        **dict.fromkeys(("directory", "sales", "cases"), world.crm),
        **dict.fromkeys(("customers", "items", "prices", "erp", "erp_orders", "invoices", "returns"), world.erp),
        **dict.fromkeys(("ledger", "orders"), use.orders),
        "warehouse": world.wms,
        "transport": world.tms,
        "processes": use.process_log,
        "signer": use.price_signer,
        "health": HealthBoard([SourceSystem.WMS]),
        "facts": world.facts,
        **{name: getattr(use, name) for name in ("quotes", "tasks", "dead_letters", "events", "keys", "clock")},
        **{name: getattr(use, name) for name in ("reservations", "stock", "onboardings", "merges")},
    }
    wanted = [entry.name for entry in dataclasses.fields(kind) if entry.name not in ("memory", "served")]
    return kind(**{name: known.get(name, desk) for name in wanted})


def _load(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _caller(who: Principal) -> Caller:
    if who.subject == "user:anonymous":
        return requests.STRANGER
    claims: list[tuple[str, Any]] = [("roles", who.roles)]
    if who.accounts is not None:
        claims.append(("accounts", who.accounts))
    if who.territories:
        claims.append(("territories", who.territories))
    if who.warehouses:
        claims.append(("warehouses", who.warehouses))
    return Caller(who.subject, frozenset(who.scopes), claims=tuple(claims))


def _tells(value: Any) -> bool:
    """Return whether an answer tells anything: a null, an empty list and a refusal for what is unknown do not."""
    if isinstance(value, Mapping):
        problems = value.get("problems")
        if problems is not None:
            return not any(str(entry.get("rule", "")).startswith("UNKNOWN") for entry in problems)
        if str(value.get("rule", "")).startswith("UNKNOWN"):
            return False
        return any(_tells(entry) for name, entry in value.items() if name != "__typename")
    return any(_tells(entry) for entry in value) if isinstance(value, list) else value is not None
