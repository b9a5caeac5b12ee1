"""The five subgraphs over the parts of a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.types import ASGIApp

from crossdock.wiring.parts import Parts
from processes.decision_api import ProcessDesk
from resolvers.accounts.ports import AccountPorts
from resolvers.catalog.ports import CatalogPorts
from resolvers.inventory.ports import InventoryPorts
from resolvers.operations.ports import OperationsPorts
from resolvers.orders.ports import OrderPorts
from resolvers.orders.returns import MergedReturns
from subgraphs.accounts.app import build_accounts
from subgraphs.catalog.app import build_catalog
from subgraphs.inventory.app import build_inventory
from subgraphs.operations.app import build_operations
from subgraphs.orders.app import build_orders

__all__ = ["NEEDS_ENGINE", "SUBGRAPHS", "build_subgraph"]

NEEDS_ENGINE = frozenset({"accounts", "operations", "orders"})
"""The subgraphs whose mutations start processes, or decide about them."""


def build_subgraph(name: str, parts: Parts, starter: ProcessDesk | None = None) -> ASGIApp:
    """Return a subgraph as an application.

    Args:
        name: one of ``SUBGRAPHS``.
        parts: what it is made over.
        starter: starts processes; only ``NEEDS_ENGINE`` wants one.
    """
    if name in NEEDS_ENGINE:
        if starter is None:
            raise ValueError(f"the subgraph {name} starts processes and needs a starter")
        return _STARTING[name](parts, starter)
    return _BUILDERS[name](parts)


def _accounts(parts: Parts, starter: ProcessDesk) -> ASGIApp:
    platform, systems = parts.platform, parts.systems
    ports = AccountPorts(
        directory=systems.crm,
        sales=systems.crm,
        cases=systems.crm,
        customers=systems.erp,
        clock=parts.clock,
        ledger=platform.orders,
        erp_orders=systems.erp,
        keys=platform.keys,
        events=platform.events,
        onboardings=platform.onboardings,
        merges=platform.merges,
        processes=platform.process_log,
        starter=starter,
    )
    return build_accounts(ports, parts.claims, parts.platform.audit, parts.rows)


def _catalog(parts: Parts) -> ASGIApp:
    erp = parts.systems.erp
    ports = CatalogPorts(
        items=erp,
        prices=erp,
        customers=erp,
        directory=parts.systems.crm,
        merges=parts.platform.merges,
        events=parts.platform.events,
        signer=parts.price_signer,
        clock=parts.clock,
        served=parts.served.note,
        memory=parts.memory,
    )
    return build_catalog(ports, parts.claims, parts.platform.audit, parts.rows)


def _inventory(parts: Parts) -> ASGIApp:
    platform, systems = parts.platform, parts.systems
    ports = InventoryPorts(
        warehouse=parts.floor,
        stock=platform.stock,
        items=systems.erp,
        customers=systems.erp,
        reservations=platform.reservations,
        keys=platform.keys,
        events=platform.events,
        clock=parts.clock,
        served=parts.served.note,
        memory=parts.memory,
    )
    return build_inventory(ports, parts.claims, parts.platform.audit, parts.rows)


def _orders(parts: Parts, starter: ProcessDesk) -> ASGIApp:
    platform, systems = parts.platform, parts.systems
    ports = OrderPorts(
        ledger=platform.orders,
        erp=systems.erp,
        items=systems.erp,
        invoices=systems.erp,
        returns=MergedReturns(platform.returns, systems.erp),
        warehouse=systems.wms,
        transport=systems.tms,
        quotes=platform.quotes,
        processes=platform.process_log,
        events=platform.events,
        starter=starter,
        desk=starter,
        clock=parts.clock,
    )
    return build_orders(ports, parts.claims, parts.platform.audit, parts.rows)


def _operations(parts: Parts, starter: ProcessDesk) -> ASGIApp:
    platform = parts.platform
    ports = OperationsPorts(
        processes=platform.process_log,
        tasks=platform.tasks,
        dead_letters=platform.dead_letters,
        orders=platform.orders,
        quotes=platform.quotes,
        events=platform.events,
        health=parts.systems.health,
        facts=platform.facts,
        clock=parts.clock,
        desk=starter,
    )
    return build_operations(ports, parts.claims, parts.platform.audit, parts.rows)


_BUILDERS: Mapping[str, Callable[[Parts], ASGIApp]] = {
    "catalog": _catalog,
    "inventory": _inventory,
}

_STARTING: Mapping[str, Callable[[Parts, ProcessDesk], ASGIApp]] = {
    "accounts": _accounts,
    "operations": _operations,
    "orders": _orders,
}

SUBGRAPHS = tuple(sorted((*_BUILDERS, *_STARTING)))
"""Names of the subgraphs."""
