"""Which accounts a principal is bound to, how long the CRM's answer holds, and what happens without one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from resolvers.rows import FRESH_FOR, KEPT_FOR, RowRules, patch_of
from schema.enums import SourceSystem
from schema.records.accounts import Patch, Territory
from schema.records.identity import Principal
from systems.errors import Unavailable
from tests.support.fake_systems import FakeClock, FakeCrm, Kept, Script, account
from tests.support.rule_records import NOW

REP = Principal("user:usr_9", ("SALES",), territories=("ter_1",))
ADMIN = Principal("user:pam", ("PORTAL_ADMIN",), accounts=("acc_0",))
GENERIC = ("offline_access", "default-roles-house")
AWAY = FRESH_FOR + timedelta(seconds=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def crm() -> FakeCrm:
    made = FakeCrm(Script(), Kept())
    west, east = Territory("ter_1", "W", "West"), Territory("ter_2", "E", "East")
    for entry in (
        account("acc_0", "C-1"),
        account("acc_1", "C-2", territory=west, parent_id="acc_0"),
        account("acc_2", "C-3", territory=east, parent_id="acc_1"),
        account("acc_3", "C-4", territory=east, owner_id="usr_9"),
    ):
        made.known[entry.id] = entry
    yield made
    made.kept.close()


@pytest.fixture
def rules(crm: FakeCrm, clock: FakeClock) -> RowRules:
    return RowRules(crm, clock)


def seen(principal: Principal) -> list[str]:
    return [account_id for account_id in ("acc_0", "acc_1", "acc_2", "acc_3") if principal.sees(account_id)]


@pytest.mark.parametrize(
    ("principal", "patch"),
    [
        pytest.param(REP, Patch(("ter_1",), "usr_9"), id="a rep is bound to territories and own accounts"),
        pytest.param(Principal("user:a", ("SALES",)), Patch((), "a"), id="without territories to own accounts alone"),
        pytest.param(Principal("user:a", ("SALES_MANAGER",), territories=("y", "x", "y")), Patch(("x", "y"), "a"),
                     id="a manager to those of the team, each once"),
        pytest.param(Principal("user:a", ("SERVICE_DESK",), territories=("x",)), Patch(("x",), "a"),
                     id="the service desk to its region"),
        pytest.param(Principal("user:a", ("SALES",), territories=("*",)), None, id="whoever works everywhere to none"),
        pytest.param(Principal("user:a", ("SALES", "FINANCE")), None, id="a role that sees all sees all"),
        pytest.param(Principal("user:a", ("OPERATIONS",)), None, id="operations to none"),
        pytest.param(Principal("user:a", ("SALES", "OPERATIONS"), warehouses=("W01",)), Patch((), "a"),
                     id="a rep who works in a warehouse besides to no more"),
        pytest.param(Principal("user:a", ("SALES", "OPERATIONS"), warehouses=("*",)), None,
                     id="a rep who works in all warehouses to none"),
        pytest.param(Principal("user:a", ("SALES", "OPERATIONS"), territories=("*",)), None,
                     id="a rep who works everywhere and in no warehouse to none"),
        pytest.param(Principal("user:a", ("SALES", *GENERIC), territories=("x",)), Patch(("x",), "a"),
                     id="a role that means nothing here lets no rep loose"),
        pytest.param(Principal("user:a", ("SALES", "OPERATIONS", *GENERIC), warehouses=("W01",)), Patch((), "a"),
                     id="nor one who works in a warehouse besides"),
        pytest.param(Principal("user:a", ("OPERATIONS", *GENERIC), warehouses=("W01",)), None,
                     id="operations with such a role to none"),
        pytest.param(Principal("user:a", ("FINANCE", *GENERIC)), None, id="such a role binds nobody who sees all"),
        pytest.param(Principal("user:a", GENERIC, territories=("*",)), Patch((), "a"),
                     id="whoever has but such roles to own accounts"),
        pytest.param(Principal("user:a"), Patch((), "a"), id="a person without roles to own accounts"),
        pytest.param(Principal("user:a", ("PORTAL_BUYER",)), Patch((), "a"),
                     id="a customer's buyer without accounts to own accounts"),
        pytest.param(Principal("system:mail", GENERIC), Patch((), "system:mail"),
                     id="a program with but such roles to own accounts"),
        pytest.param(Principal("system:mail"), None, id="a program without roles to none"),
        pytest.param(Principal("user:a", ("SALES",), accounts=("acc_1",)), None, id="a customer by its claim alone"),
    ],
)  # fmt: skip
def test_who_is_bound_to_which_patch(principal: Principal, patch: Patch | None):
    assert patch_of(principal) == patch


async def test_a_rep_sees_the_accounts_of_its_territories_and_those_it_owns_elsewhere(rules: RowRules):
    assert seen(await rules.bind(REP)) == ["acc_1", "acc_3"]


async def test_an_administrator_sees_every_level_below_and_a_buyer_its_own(rules: RowRules):
    assert seen(await rules.bind(ADMIN)) == ["acc_0", "acc_1", "acc_2"]
    assert seen(await rules.bind(Principal("user:pat", ("PORTAL_BUYER",), accounts=("acc_0",)))) == ["acc_0"]


async def test_a_patch_of_many_pages_is_read_whole(rules: RowRules, crm: FakeCrm):
    for number in range(450):
        crm.known[f"acc_n{number}"] = account(f"acc_n{number}", f"N-{number:03}", owner_id="usr_9")
    bound = await rules.bind(REP)
    assert all(bound.sees(f"acc_n{number}") for number in range(450))
    assert crm.script.calls == ["search_accounts"] * 3


async def test_the_crm_is_asked_once_a_minute_for_all_who_have_the_same_patch(
    rules: RowRules, crm: FakeCrm, clock: FakeClock
):
    for _ in range(3):
        await rules.bind(REP)
    assert crm.script.calls == ["search_accounts"]
    crm.known["acc_1"] = account("acc_1", "C-2")
    clock.at = NOW + AWAY
    assert seen(await rules.bind(REP)) == ["acc_3"]


async def test_who_follows_something_learns_of_a_change_without_asking_again(
    rules: RowRules, crm: FakeCrm, clock: FakeClock
):
    bound = await rules.bind(REP)
    crm.known["acc_1"] = account("acc_1", "C-2")
    clock.at = NOW + AWAY
    assert bound.sees("acc_1")  # as it was read last; the look has it read anew
    await rules.bind(REP)
    assert not bound.sees("acc_1")


async def test_while_the_crm_is_out_its_last_answer_holds_for_a_day(rules: RowRules, crm: FakeCrm, clock: FakeClock):
    bound = await rules.bind(REP)
    crm.script.down.add(SourceSystem.CRM)
    clock.at = NOW + KEPT_FOR
    assert seen(await rules.bind(REP)) == ["acc_1", "acc_3"]
    clock.at = NOW + KEPT_FOR + timedelta(seconds=1)
    with pytest.raises(Unavailable):
        await rules.bind(REP)
    assert seen(bound) == []


async def test_without_any_answer_an_administrator_sees_the_accounts_of_its_claim(rules: RowRules, crm: FakeCrm):
    crm.script.down.add(SourceSystem.CRM)
    assert seen(await rules.bind(ADMIN)) == ["acc_0"]
