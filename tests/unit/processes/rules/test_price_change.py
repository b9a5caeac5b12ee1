"""What a changed row of the price book changes: from when on, and for whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.rules.price_change import GroupMove, RowChange, effective_from, has_moved, moved_from
from schema.records.catalog import PriceLevel, PriceRule
from tests.support.rule_records import TODAY, item, money, rule, terms

LATER = TODAY + timedelta(days=40)
BEFORE = TODAY - timedelta(days=40)
ROW = rule("row", PriceLevel.PRICE_GROUP, "40.00", group="GOLD")
LIST = rule("list", PriceLevel.LIST, "45.00")
CONTRACT = rule("deal", PriceLevel.CONTRACT, account="acc_1", breaks=(("1", "38.00"), ("24", "36.00")))
DEARER = replace(ROW, unit=money("41.00"))


def until(row: PriceRule, day: date | None) -> PriceRule:
    return replace(row, valid_to=day)


def since(row: PriceRule, day: date) -> PriceRule:
    return replace(row, valid_from=day)


DAYS = [
    pytest.param(ROW, DEARER, TODAY, id="another price holds at once"),
    pytest.param(None, since(ROW, LATER), LATER, id="a row of later holds then"),
    pytest.param(ROW, None, TODAY, id="a row that is gone holds no more at once"),
    pytest.param(ROW, until(ROW, LATER), LATER + timedelta(days=1), id="an end is felt the day after"),
    pytest.param(until(ROW, LATER), until(ROW, TODAY), TODAY + timedelta(days=1), id="an earlier end"),
    pytest.param(since(ROW, LATER), since(DEARER, LATER), LATER, id="another price of a row of later"),
    pytest.param(until(ROW, BEFORE), until(DEARER, BEFORE), None, id="what is over changes nothing"),
    pytest.param(until(ROW, BEFORE), None, None, id="what is over can go"),
    pytest.param(ROW, ROW, None, id="the same"),
    pytest.param(until(ROW, date.max), until(DEARER, date.max), TODAY, id="a row until the end of all days"),
]


@pytest.mark.parametrize(("before", "after", "day"), DAYS)
def test_a_change_holds_from_the_first_day_on_which_the_row_says_something_else(
    before: PriceRule | None, after: PriceRule | None, day: date | None
):
    assert effective_from(RowChange(before, after), TODAY) == day


def moved(
    before: PriceRule | None, after: PriceRule | None, *others: PriceRule, account: str = "acc_1", on: date = TODAY
) -> bool:
    rows = [*others, *([] if after is None else [after])]
    return has_moved(
        RowChange(before, after),
        rows,
        item=item(),
        account_id=account,
        ancestors=("acc_parent",) if account == "acc_child" else (),
        terms=terms(account=account, group="GOLD"),
        fx=lambda base, quote: Decimal("0.5"),
        on=on,
    )


GRADED = rule("graded", PriceLevel.CONTRACT, account="acc_1", breaks=(("1", "38.00"), ("24", "36.00")), graduated=True)
PARENTS = rule("parents", PriceLevel.CONTRACT, "30.00", account="acc_parent", inherit=True)
SALE = rule("sale", PriceLevel.PROMOTION, percent="10")
MOVES = [
    pytest.param(ROW, DEARER, (LIST,), "acc_1", True, id="the group that decides"),
    pytest.param(ROW, DEARER, (LIST, CONTRACT), "acc_1", False, id="a group below a contract"),
    pytest.param(ROW, DEARER, (LIST, replace(CONTRACT, breaks=CONTRACT.breaks[1:])), "acc_1", True,
                 id="a group below a contract of larger quantities"),
    pytest.param(replace(ROW, price_group="IRON"), replace(DEARER, price_group="IRON"), (LIST,), "acc_1", False,
                 id="another group"),
    pytest.param(None, CONTRACT, (LIST, ROW), "acc_1", True, id="a new contract"),
    pytest.param(CONTRACT, None, (LIST, ROW), "acc_1", True, id="a contract that is gone"),
    pytest.param(None, CONTRACT, (LIST, ROW), "acc_2", False, id="the contract of somebody else"),
    pytest.param(CONTRACT, replace(CONTRACT, breaks=(CONTRACT.breaks[0],)), (LIST,), "acc_1", True, id="a break"),
    pytest.param(GRADED, replace(GRADED, breaks=(GRADED.breaks[0], replace(GRADED.breaks[1], unit=money("35.00")))),
                 (LIST,), "acc_1", True, id="a graduated break, whose first piece costs as before"),
    pytest.param(PARENTS, replace(PARENTS, unit=money("31.00")), (LIST,), "acc_child", True, id="a parent's contract"),
    pytest.param(PARENTS, replace(PARENTS, inherit=False), (LIST,), "acc_child", True,
                 id="a contract that is inherited no more"),
    pytest.param(None, SALE, (LIST,), "acc_1", True, id="a promotion"),
    pytest.param(None, SALE, (LIST, PARENTS), "acc_child", False, id="a promotion above a contract"),
    pytest.param(LIST, replace(LIST, unit=money("44.00")), (SALE,), "acc_1", True, id="the list below a promotion"),
    pytest.param(LIST, replace(LIST, unit=money("44.00")), (ROW,), "acc_1", False, id="the list below a group"),
    pytest.param(replace(ROW, priority=1), replace(ROW, priority=2), (LIST,), "acc_1", False, id="no other amount"),
    pytest.param(replace(ROW, sku="VLV-0007"), replace(DEARER, sku="VLV-0007"), (LIST,), "acc_1", False,
                 id="another item"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "others", "account", "is_moved"), MOVES)
def test_a_price_has_moved_when_some_quantity_costs_something_else(
    before: PriceRule | None, after: PriceRule | None, others: tuple[PriceRule, ...], account: str, is_moved: bool
):
    assert moved(before, after, *others, account=account) is is_moved
    assert moved(after, before, *others, account=account) is is_moved


def test_a_row_of_later_moves_the_price_of_its_days_alone():
    assert not moved(None, since(CONTRACT, LATER), LIST, ROW)
    assert moved(None, since(CONTRACT, LATER), LIST, ROW, on=LATER)


def test_a_list_price_of_another_currency_counts_at_its_rate():
    euro = rule("euro", PriceLevel.LIST, "80.00", currency="EUR")
    assert moved(euro, replace(euro, unit=money("81.00", "EUR")))


SILVER = replace(rule("silver", PriceLevel.PRICE_GROUP, "41.00", group="SILVER"), priority=3)
GROUPS = [
    pytest.param("GOLD", "SILVER", (ROW, SILVER), TODAY, True, id="another row"),
    pytest.param("GOLD", "SILVER", (ROW, replace(SILVER, unit=ROW.unit)), TODAY, False, id="another row, same price"),
    pytest.param("GOLD", None, (ROW,), TODAY, True, id="out of the group"),
    pytest.param(None, "GOLD", (ROW,), TODAY, True, id="into the group"),
    pytest.param("GOLD", "IRON", (SILVER,), None, False, id="groups without rows"),
    pytest.param("GOLD", None, (replace(ROW, sku="VLV-0007"),), None, False, id="rows of other items"),
    pytest.param("GOLD", "SILVER", (ROW, SILVER, CONTRACT), TODAY, False, id="groups below a contract"),
    pytest.param(None, "SILVER", (since(SILVER, LATER),), LATER, True, id="into a group that begins later"),
    pytest.param(None, "SILVER", (until(SILVER, BEFORE),), None, False, id="into a group that is over"),
]


@pytest.mark.parametrize(("before", "after", "rows", "day", "is_moved"), GROUPS)
def test_another_price_group_counts_from_the_first_day_on_which_its_rows_differ(
    before: str | None, after: str | None, rows: tuple[PriceRule, ...], day: date | None, is_moved: bool
):
    for move in (GroupMove(before, after), GroupMove(after, before)):
        assert moved_from(move, (LIST, *rows), item(), TODAY) == day
        told = has_moved(
            move,
            (LIST, *rows),
            item=item(),
            account_id="acc_1",
            ancestors=(),
            terms=terms(group="BRONZE"),
            fx=lambda base, quote: None,
            on=day or TODAY,
        )
        assert told is is_moved


ROWS = st.lists(st.sampled_from([LIST, ROW, CONTRACT, SALE, PARENTS, GRADED]), unique_by=lambda row: row.id)


@given(rows=ROWS, seed=st.randoms())
def test_the_order_of_rows_does_not_matter(rows: list[PriceRule], seed):
    shuffled = list(rows)
    seed.shuffle(shuffled)
    change = RowChange(DEARER, ROW)
    asked = {"item": item(), "account_id": "acc_1", "ancestors": (), "terms": terms(), "on": TODAY}
    found = [has_moved(change, some, fx=lambda base, quote: None, **asked) for some in (rows, shuffled)]  # type: ignore[arg-type]
    assert found[0] == found[1]
