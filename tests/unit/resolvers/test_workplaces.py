"""Which warehouses bind whom, and what that leaves in sight."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from processes.workplaces import may_handle, may_take, works_on
from schema.records.identity import Principal
from schema.records.operations import ExceptionTask
from tests.support.platform_records import letter, task

GENERIC = ("offline_access", "default-roles-house")
WEST = Principal("user:a", ("OPERATIONS",), warehouses=("W01",))
EVERYWHERE = Principal("user:a", ("OPERATIONS",), warehouses=("*",))


@pytest.mark.parametrize(
    ("principal", "workplaces"),
    [
        pytest.param(WEST, {"W01"}, id="operations to those of their claim"),
        pytest.param(Principal("user:a", ("OPERATIONS",)), set(), id="without the claim to none there is"),
        pytest.param(EVERYWHERE, None, id="whoever works in all of them to none"),
        pytest.param(Principal("user:a", ("OPERATIONS", "OPERATIONS"), warehouses=("W01", "W02")), {"W01", "W02"},
                     id="a role that is named twice is one"),
        pytest.param(Principal("user:a", ("OPERATIONS", "FINANCE"), warehouses=("W01",)), None,
                     id="a role that sees all sees all"),
        pytest.param(Principal("user:a", ("OPERATIONS", *GENERIC), warehouses=("W01",)), {"W01"},
                     id="a role that means nothing here lets nobody loose"),
        pytest.param(Principal("user:a", GENERIC, warehouses=("W01",)), None, id="roles that mean nothing by accounts"),
        pytest.param(Principal("user:a", ("SALES",), warehouses=("W01",)), None, id="a rep by its accounts alone"),
        pytest.param(Principal("system:mail", warehouses=("W01",)), None, id="a program without roles to none"),
        pytest.param(Principal("user:a", ("OPERATIONS",), accounts=("acc_1",), warehouses=("W01",)), None,
                     id="a customer by its accounts alone"),
    ],
)  # fmt: skip
def test_who_is_bound_to_which_warehouses(principal: Principal, workplaces: Collection[str] | None):
    assert principal.workplaces == workplaces


@pytest.mark.parametrize(
    ("codes", "west", "everywhere"),
    [
        pytest.param(("W01",), True, True, id="its own"),
        pytest.param(("W02", "W01"), True, True, id="its own and another"),
        pytest.param(("W02",), False, True, id="another"),
        pytest.param(("w01",), False, True, id="a code that is written otherwise"),
        pytest.param((), False, True, id="none"),
    ],
)
def test_what_is_theirs_lies_in_one_of_their_warehouses(codes: tuple[str, ...], *, west: bool, everywhere: bool):
    assert (WEST.works_at(codes), EVERYWHERE.works_at(codes)) == (west, everywhere)


async def noted(order_id: str) -> Collection[str]:
    return {"ord_1": ("W01",), "ord_2": ("W02",)}.get(order_id, ())


@pytest.mark.parametrize(
    ("order_id", "is_theirs"), [("ord_1", True), ("ord_2", False), ("ord_9", False), (None, False)]
)
async def test_an_order_and_its_letters_are_of_the_warehouses_that_are_noted(order_id: str | None, *, is_theirs: bool):
    assert await works_on(WEST, order_id, noted) is is_theirs
    assert await may_handle(WEST, letter(order_id=order_id), noted) is is_theirs
    assert await works_on(EVERYWHERE, order_id, noted)


@pytest.mark.parametrize(
    ("of", "is_theirs"),
    [
        pytest.param(task(order_id="ord_1"), True, id="of an order of theirs"),
        pytest.param(task(order_id="ord_2"), False, id="of another order"),
        pytest.param(task(order_id=None), False, id="of none"),
        pytest.param(task(order_id=None, warehouse_code="W01"), True, id="of their warehouse"),
        pytest.param(task(order_id="ord_1", warehouse_code="W02"), False, id="of another part of their order"),
        pytest.param(task(order_id="ord_2", warehouse_code="W01"), True, id="of their part of another order"),
    ],
)
async def test_a_task_is_of_its_own_warehouse_or_of_those_of_its_order(of: ExceptionTask, *, is_theirs: bool):
    assert await may_take(WEST, of, noted) is is_theirs
    assert await may_take(EVERYWHERE, of, noted)
