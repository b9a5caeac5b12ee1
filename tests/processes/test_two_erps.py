"""Orders of accounts that are at home in different ERPs: where they go is decided once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schema.enums import ErpHome, OrderStatus, SourceSystem
from schema.events.envelope import EventFilter
from systems.erp_routing import AccountHomes, ErpRouting
from systems.errors import Rejected, Unavailable
from tests.support.fake_systems import FakeLegacyErp, Kept, Script, account
from tests.support.process_world import ProcessWorld, line, run_order, submission
from tests.support.rule_records import terms

CLOUD, LEGACY = SourceSystem.CLOUD_ERP, SourceSystem.LEGACY_ERP


@pytest.fixture
def legacy(world: ProcessWorld) -> FakeLegacyErp:
    """Put a second ERP beside the first, which knows the same customers and places."""
    made = FakeLegacyErp(Script(), Kept())
    made.terms_by_account, made.places, made.price_rules = (
        {name: terms(account=name) for name in ("acc_1", "acc_2")},
        world.erp.places,
        world.erp.price_rules,
    )
    routing = ErpRouting(world.erp, {LEGACY: made}, AccountHomes(lambda: 0.0), world.crm, world.use.orders)
    world.use = replace(world.use, erp=routing)
    return made


def move(world: ProcessWorld, home: ErpHome) -> None:
    world.crm.known["acc_1"] = account(erp_home=home)


@pytest.mark.parametrize(
    ("home", "erp"),
    [(ErpHome.CLOUD_ERP, CLOUD), (ErpHome.LEGACY_ERP, LEGACY), (ErpHome.MIGRATING, CLOUD)],
)
async def test_a_new_order_goes_to_the_erp_that_takes_those_of_its_account(
    world: ProcessWorld, legacy: FakeLegacyErp, home: ErpHome, erp: SourceSystem
) -> None:
    move(world, home)
    await run_order(world, submission(line(6)))
    order = await world.order("ord_1")
    assert (order.status, order.home_erp) == (OrderStatus.ACCEPTED, erp)
    documents = {CLOUD: world.erp.documents(), LEGACY: legacy.documents()}
    assert {system: [entry.id for entry in found] for system, found in documents.items() if found} == {erp: ["ord_1"]}
    (process,) = (await world.use.process_log.processes(["prc_1"])).values()
    assert {step.system for step in process.steps if step.name in ("price", "create", "allocate")} == {erp}


async def test_an_order_that_waits_for_its_erp_waits_for_no_other(world: ProcessWorld, legacy: FakeLegacyErp) -> None:
    move(world, ErpHome.LEGACY_ERP)
    away = Unavailable(LEGACY, "create order", "no connection", outcome_unknown=False)
    legacy.script.before["create_order"] = [away] * 2
    await run_order(world, submission(line(6)))
    failed = await world.use.events.read(EventFilter(types=("process.step.failed",)), None, 10)
    assert [(entry.event.data["step"], entry.event.data["system"]) for entry in failed] == [("create", "LEGACY_ERP")]
    assert (await world.order("ord_1")).status is OrderStatus.ACCEPTED


async def test_an_order_that_was_sent_before_its_account_moved_is_found_where_it_was_sent(
    world: ProcessWorld, legacy: FakeLegacyErp
) -> None:
    move(world, ErpHome.LEGACY_ERP)
    legacy.script.after["create_order"] = [Unavailable(LEGACY, "create order", "reset", outcome_unknown=True)]
    legacy.script.seen = lambda operation: move(world, ErpHome.CLOUD_ERP) if operation == "create_order" else None
    await run_order(world, submission(line(6)))
    order = await world.order("ord_1")
    assert (order.status, order.home_erp) == (OrderStatus.ACCEPTED, LEGACY)
    assert [entry.id for entry in legacy.documents()] == ["ord_1"]
    assert world.erp.documents() == []


async def test_an_order_that_is_refused_says_where_it_would_have_gone(
    world: ProcessWorld, legacy: FakeLegacyErp
) -> None:
    move(world, ErpHome.LEGACY_ERP)
    legacy.script.before["create_order"] = [Rejected(LEGACY, "create order", "blocked", reason="CUSTOMER_BLOCKED")]
    await run_order(world, submission(line(6)))
    order = await world.order("ord_1")
    assert (order.status, order.home_erp) == (OrderStatus.REJECTED, LEGACY)
