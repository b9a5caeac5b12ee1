"""Changes of accounts (P9) that programs carry while they are killed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from processes.account_news import AccountChanges
from processes.api import AccountChange
from processes.starter import EngineStarter
from processes.worker import ProcessEngine
from schema.records.accounts import AccountValues
from systems.news import AccountNews
from tests.support.mortal_parts import CONTROLLER, WAIT_MS, Scenario, named
from tests.support.onboarding_records import address
from tests.support.process_world import ProcessWorld
from tests.support.rule_records import NOW

__all__ = ["ACCOUNT_SCENARIOS"]

_HOME, _MOVED = address(city="Austin"), address(city="Houston")
_VERSION = 3


def _at_home(world: ProcessWorld) -> None:
    world.erp.values = {"acc_1": AccountValues(payment_terms="NET30", billing=_HOME)}
    world.crm.known["acc_1"] = replace(world.crm.known["acc_1"], version=_VERSION)


async def _change(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    _at_home(world)
    asked = AccountChange("acc_1", _VERSION, AccountValues(billing=_MOVED))
    starter = EngineStarter(engine)
    return named(await starter.change_account(asked, key="a-1", principal=CONTROLLER, wait_ms=WAIT_MS))


async def _moved(world: ProcessWorld) -> None:
    assert (world.kept.all("erp billing"), world.kept.all("crm billing")) == (["Houston"], ["Houston"])
    assert (await world.event_types("acc_1")).count("account.changed") == 1


async def _edit(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    """Take over an address that was edited in the CRM."""
    _at_home(world)
    await AccountChanges(engine).handle(AccountNews("crm-1", "acc_1", _VERSION, (), _MOVED, NOW, is_echo=False))
    async with asyncio.timeout(WAIT_MS / 1000):
        while True:
            found = (await world.use.process_log.processes_of(["acc_1"]))["acc_1"]
            if found:
                return [process.id for process in found]
            await asyncio.sleep(0.01)


async def _taken_over(world: ProcessWorld) -> None:
    assert world.kept.all("erp billing") == ["Houston"]
    assert (await world.event_types("acc_1")).count("account.changed") == 1


ACCOUNT_SCENARIOS: Mapping[str, Scenario] = {
    "account change": Scenario(_change, _moved, is_new=True),
    "account edit": Scenario(_edit, _taken_over, is_new=True),
}
