"""Rule 6.1: which price a customer gets."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.rules import price
from processes.rules.tokens import PriceClaims, TokenSigner
from schema.enums import ItemStatus, PriceSource, PricingConflictReason
from schema.records.catalog import Item, Price, PriceLevel, PriceRule
from schema.records.problems import ItemNotSellable, PricingConflict, ValidationFailed
from schema.records.values import Money
from tests.support.rule_records import FRESH, NOW, SIGNING_KEY, TODAY, item, money, qty, query, rule, ship_to, terms

LIST, PROMOTION, GROUP, CONTRACT = PriceLevel.LIST, PriceLevel.PROMOTION, PriceLevel.PRICE_GROUP, PriceLevel.CONTRACT
SIGNER = TokenSigner(SIGNING_KEY)
RATES = {("USD", "EUR"): Decimal("0.9"), ("USD", "JPY"): Decimal(150), ("CAD", "USD"): Decimal("0.7")}


def evaluate(
    *rules: PriceRule,
    quantity: Any = None,
    what: Item | None = None,
    currency: str = "USD",
    ancestors: tuple[str, ...] = (),
    place: Any = None,
    on: date = TODAY,
) -> Any:
    return price.evaluate(
        replace(query(quantity), on=on),
        item=what or item(),
        terms=terms(currency=currency),
        ancestors=ancestors,
        rules=rules,
        fx=lambda base, quote: RATES.get((base, quote)),
        now=NOW,
        signer=SIGNER,
        freshness=FRESH,
        ship_to=place,
    )


LISTED = rule("L", LIST, "40")
GOLD = rule("G", GROUP, "38", group="GOLD")
OWN = rule("C", CONTRACT, "36.50", account="acc_1")
PARENT = rule("P", CONTRACT, "37", account="acc_p", inherit=True)


@pytest.mark.parametrize(
    ("rules", "unit", "source"),
    [
        pytest.param([LISTED], "40", "LIST", id="the list price is what everybody pays"),
        pytest.param([LISTED, GOLD], "38", "PRICE_GROUP", id="a price group beats the list"),
        pytest.param([LISTED, GOLD, PARENT], "37", "PARENT_CONTRACT", id="a parent's contract beats the group"),
        pytest.param([LISTED, GOLD, PARENT, OWN], "36.50", "CONTRACT", id="the own contract beats all"),
        pytest.param(
            [LISTED, rule("C", CONTRACT, "99", account="acc_1")],
            "99",
            "CONTRACT",
            id="a dearer contract is still a contract",
        ),
        pytest.param(
            [LISTED, rule("P", CONTRACT, "1", account="acc_p")],
            "40",
            "LIST",
            id="a parent's contract without inherit is not ours",
        ),
        pytest.param(
            [LISTED, rule("X", CONTRACT, "1", account="acc_2")], "40", "LIST", id="a stranger's contract is not ours"
        ),
        pytest.param(
            [LISTED, rule("X", GROUP, "1", group="SILVER")], "40", "LIST", id="another group's price is not ours"
        ),
        pytest.param([LISTED, rule("X", LIST, "1", sku="OTHER")], "40", "LIST", id="another item's row is not ours"),
        pytest.param(
            [LISTED, rule("C", CONTRACT, "1", account="acc_1", start=date(2026, 3, 5))],
            "40",
            "LIST",
            id="tomorrow's row waits",
        ),
        pytest.param(
            [LISTED, rule("C", CONTRACT, "1", account="acc_1", end=date(2026, 3, 3))],
            "40",
            "LIST",
            id="yesterday's row is over",
        ),
        pytest.param(
            [LISTED, rule("C", CONTRACT, "1", account="acc_1", start=date(2026, 3, 4), end=date(2026, 3, 4))],
            "1",
            "CONTRACT",
            id="both ends of validity count",
        ),
        pytest.param(
            [
                LISTED,
                rule("B", GROUP, "30", group="GOLD", sku=None, brand="Norvik"),
                rule("A", GROUP, "29", group="GOLD", sku=None),
            ],
            "30",
            "PRICE_GROUP",
            id="a brand is narrower than all items",
        ),
        pytest.param(
            [rule("A", LIST, "31", sku=None, category="PUMPS"), rule("B", LIST, "30", sku=None, brand="Norvik")],
            "31",
            "LIST",
            id="a category is narrower than a brand",
        ),
        pytest.param(
            [rule("A", LIST, "32"), rule("B", LIST, "31", sku=None, category="PUMPS", priority=9)],
            "32",
            "LIST",
            id="an item is narrower than a category whatever its priority",
        ),
        pytest.param(
            [rule("A", LIST, "32"), rule("B", LIST, "31", priority=1)], "31", "LIST", id="priority decides among equals"
        ),
        pytest.param(
            [rule("A", LIST, "32", breaks=(("1", "30"),)), rule("B", LIST, "31", priority=9)],
            "30",
            "LIST",
            id="the highest break that is reached decides before priority",
        ),
        pytest.param(
            [rule("A", LIST, "32", start=date(2026, 2, 1)), rule("B", LIST, "31", priority=1)],
            "31",
            "LIST",
            id="priority decides before the start",
        ),
        pytest.param(
            [rule("A", LIST, "32", start=date(2026, 2, 1)), rule("B", LIST, "31")],
            "32",
            "LIST",
            id="then the latest start decides",
        ),
        pytest.param(
            [rule("A", LIST, "32"), rule("B", LIST, "32")], "32", "LIST", id="equal amounts are not ambiguous"
        ),
        pytest.param(
            [LISTED, rule("C", CONTRACT, percent="10", account="acc_1")],
            "36",
            "CONTRACT",
            id="a discount is off the list price",
        ),
    ],
)
def test_the_deciding_level_and_row(rules: list[PriceRule], unit: str, source: str):
    found = evaluate(*rules, ancestors=("acc_p",))
    assert (found.unit, found.source) == (money(unit), PriceSource(source))


def test_a_nearer_ancestor_beats_a_farther_one():
    far = rule("F", CONTRACT, "30", account="acc_top", inherit=True, priority=9)
    near = rule("N", CONTRACT, "35", account="acc_mid", inherit=True)
    assert evaluate(LISTED, far, near, ancestors=("acc_mid", "acc_top")).unit == money("35")


BREAKS = rule("C", CONTRACT, account="acc_1", breaks=(("1", "37.40"), ("24", "36.10"), ("240", "34")))


@pytest.mark.parametrize(
    ("quantity", "unit", "extended"),
    [
        pytest.param(qty(1), "37.40", "37.40", id="below the second break"),
        pytest.param(qty(23), "37.40", "860.20", id="just below a break"),
        pytest.param(qty(24), "36.10", "866.40", id="at a break the whole quantity is cheaper"),
        pytest.param(qty(4, "XBX"), "216.60", "866.40", id="a break is reached in base units"),
        pytest.param(qty(1, "XPX"), "8160", "8160", id="the highest break that is reached counts"),
    ],
)
def test_breaks_hold_for_the_whole_quantity(quantity: Any, unit: str, extended: str):
    found = evaluate(LISTED, BREAKS, quantity=quantity)
    assert (found.unit.amount, found.extended.amount) == (Decimal(unit), Decimal(extended))
    assert [entry.min_quantity for entry in found.breaks] == [1, 24, 240]


def test_a_row_below_its_lowest_break_leaves_the_decision_to_the_next_level():
    assert evaluate(
        LISTED, rule("C", CONTRACT, account="acc_1", breaks=(("10", "30"),)), quantity=qty(9)
    ).unit == money("40")


def test_a_graduated_row_charges_each_part_by_its_own_break():
    graduated = rule("C", CONTRACT, account="acc_1", breaks=(("0", "10"), ("10", "8")), graduated=True)
    found = evaluate(graduated, quantity=qty(30))
    assert found.extended == money("260.00")  # 10 at 10 and 20 at 8 make 260; the unit is the average
    assert found.unit == money("8.6667")


@pytest.mark.parametrize(
    ("contract", "promotion", "unit", "source"),
    [
        pytest.param({}, {"percent": "20"}, "32", "PROMOTION", id="the better price wins when they do not combine"),
        pytest.param({}, {"percent": "5"}, "36.50", "CONTRACT", id="a promotion that is worse changes nothing"),
        pytest.param(
            {"exclusive": True}, {"percent": "90"}, "36.50", "CONTRACT", id="an exclusive contract knows no promotion"
        ),
        pytest.param(
            {"combinable": True},
            {"percent": "10", "combinable": True},
            "32.85",
            "CONTRACT",
            id="combinable ones are both applied",
        ),
        pytest.param(
            {"combinable": True},
            {"percent": "5"},
            "36.50",
            "CONTRACT",
            id="both must be combinable to be applied together",
        ),
        pytest.param(
            {},
            {"percent": "10", "combinable": True},
            "36",
            "PROMOTION",
            id="a combinable promotion alone is applied to the list",
        ),
        pytest.param({}, {"unit": "30"}, "30", "PROMOTION", id="a promotional price list is a price of its own"),
    ],
)
def test_promotions(contract: dict[str, Any], promotion: dict[str, Any], unit: str, source: str):
    own = rule("C", CONTRACT, "36.50", account="acc_1", **contract)
    found = evaluate(LISTED, own, rule("S", PROMOTION, **promotion))
    assert (found.unit.amount, found.source.value) == (Decimal(unit), source)


def test_components_come_in_the_fixed_order_and_add_up_to_the_unit_price():
    own = rule("C", CONTRACT, account="acc_1", breaks=(("1", "36"), ("24", "34.3333")), combinable=True)
    found = evaluate(LISTED, own, rule("S", PROMOTION, percent="3", combinable=True), quantity=qty(24))
    sources = [entry.source.value for entry in found.components]
    assert sources == ["LIST", "CONTRACT", "QUANTITY_BREAK", "PROMOTION"]
    assert sum(entry.amount.amount for entry in found.components) == found.unit.amount == Decimal("33.3033")


@pytest.mark.parametrize(
    ("amount", "value", "currency", "unit", "extended"),
    [
        pytest.param("0.12345", "1", "USD", "0.1235", "0.12", id="unit prices have four decimals, half up"),
        pytest.param("0.12345", "1000", "USD", "0.1235", "123.50", id="a line is of the unit price that is shown"),
        pytest.param("0.335", "1", "USD", "0.3350", "0.34", id="extended amounts have cents, half up"),
        pytest.param("10.5", "1", "JPY", "10.5000", "11", id="yen have no decimals"),
        pytest.param("1.2345", "3", "KWD", "1.2345", "3.704", id="Kuwaiti dinars have three"),
    ],
)
def test_rounding(amount: str, value: str, currency: str, unit: str, extended: str):
    found = evaluate(rule("L", LIST, amount, currency=currency), quantity=qty(value), currency=currency)
    assert (str(found.unit.amount), str(found.extended.amount)) == (unit, extended)


@pytest.mark.parametrize(
    ("rules", "currency", "reason"),
    [
        pytest.param([], "USD", "NO_PRICE", id="without rows there is no price"),
        pytest.param([OWN], "EUR", "NO_PRICE_IN_CURRENCY", id="a contract is never converted"),
        pytest.param([OWN, LISTED], "EUR", "NO_PRICE_IN_CURRENCY", id="nor is the list used around it"),
        pytest.param([GOLD], "EUR", "NO_PRICE_IN_CURRENCY", id="a group price is never converted"),
        pytest.param([LISTED], "MXN", "NO_PRICE_IN_CURRENCY", id="without a rate there is no conversion"),
        pytest.param(
            [rule("A", LIST, "32"), rule("B", LIST, "31")], "USD", "AMBIGUOUS_RULES", id="nobody picks between equals"
        ),
        pytest.param(
            [
                rule("A", LIST, "32"),
                rule("B", LIST, "31"),
                rule("C", CONTRACT, percent="5", account="acc_1"),
                GOLD,
            ],
            "USD",
            "AMBIGUOUS_RULES",
            id="a discount off an ambiguous list price is ambiguous",
        ),
        pytest.param(
            [LISTED, rule("S", PROMOTION, "30"), rule("T", PROMOTION, "31")],
            "USD",
            "AMBIGUOUS_RULES",
            id="promotions can be ambiguous too",
        ),
        pytest.param(
            [rule("C", CONTRACT, percent="5", account="acc_1")],
            "USD",
            "NO_PRICE",
            id="a discount off nothing is no price",
        ),
    ],
)
def test_no_price_says_why(rules: list[PriceRule], currency: str, reason: str):
    found = evaluate(*rules, currency=currency)
    assert isinstance(found, PricingConflict)
    assert found.reason is PricingConflictReason(reason)


def test_ambiguous_promotions_that_help_nobody_do_not_matter():
    cheap = rule("C", CONTRACT, "20", account="acc_1")
    assert evaluate(LISTED, cheap, rule("S", PROMOTION, "30"), rule("T", PROMOTION, "31")).unit == money("20")


def test_a_promotion_off_an_ambiguous_list_price_is_no_reason_to_refuse_a_group_price():
    doubt = (rule("A", LIST, "42"), rule("B", LIST, "41"))
    assert evaluate(*doubt, rule("S", PROMOTION, percent="50"), GOLD).unit == money("38")


def test_a_discount_off_an_ambiguous_list_price_does_not_matter_below_a_contract():
    doubt = (rule("A", LIST, "42"), rule("B", LIST, "41"))
    assert evaluate(*doubt, rule("G", GROUP, percent="5", group="GOLD"), OWN).unit == money("36.50")


def test_a_promotion_at_the_same_price_leaves_the_contract_named():
    assert evaluate(LISTED, OWN, rule("S", PROMOTION, "36.50")).source is PriceSource.CONTRACT


def test_of_equal_rows_the_first_by_number_is_named():
    assert evaluate(rule("B", LIST, "32"), rule("A", LIST, "32")).rule_id == "rule_A"


def test_a_row_that_names_no_price_at_all_decides_nothing():
    assert evaluate(LISTED, rule("C", CONTRACT, account="acc_1")).unit == money("40")


def test_breaks_of_a_discount_are_those_of_the_list_less_the_discount():
    listed = rule("L", LIST, breaks=(("0", "40"), ("10", "30")))
    found = evaluate(listed, rule("C", CONTRACT, percent="10", account="acc_1"), quantity=qty(10))
    assert [(entry.min_quantity, entry.unit.amount) for entry in found.breaks] == [(0, 36), (10, 27)]
    assert (found.unit, found.list) == (money("27"), money("40"))
    assert [entry.source.value for entry in found.components] == ["LIST", "CONTRACT", "QUANTITY_BREAK"]


def test_a_price_without_quantity_breaks_shows_none():
    assert evaluate(LISTED).breaks == ()
    assert evaluate(LISTED, rule("C", CONTRACT, percent="10", account="acc_1")).breaks == ()


def test_the_ambiguity_names_the_rules():
    assert "A, B" in evaluate(rule("B", LIST, "31"), rule("A", LIST, "32")).message


def test_a_list_price_is_converted_and_marked():
    found = evaluate(LISTED, currency="EUR")
    assert (found.unit, found.source) == (money("36.0000", "EUR"), PriceSource.FX_CONVERTED)


def test_a_row_in_the_currency_is_preferred_to_a_converted_one():
    found = evaluate(OWN, LISTED, rule("E", LIST, "39", currency="EUR"), currency="EUR")
    assert (found.unit, found.source) == (money("39", "EUR"), PriceSource.LIST)


@pytest.mark.parametrize(
    ("what", "place", "reason"),
    [
        pytest.param(item(status=ItemStatus.BLOCKED), None, "BLOCKED", id="a blocked item"),
        pytest.param(item(status=ItemStatus.DISCONTINUED), None, "DISCONTINUED", id="a discontinued item"),
        pytest.param(item(restricted=("US-TX",)), ship_to(), "RESTRICTED_REGION", id="a restricted region"),
        pytest.param(item(restricted=("US",)), ship_to(), "RESTRICTED_REGION", id="a restricted country"),
    ],
)
def test_what_may_not_be_sold_has_no_price(what: Item, place: Any, reason: str):
    found = evaluate(LISTED, what=what, place=place)
    assert isinstance(found, ItemNotSellable)
    assert found.reason == reason


def test_a_restriction_elsewhere_does_not_matter():
    assert isinstance(evaluate(LISTED, what=item(restricted=("US-CA", "MX")), place=ship_to()), Price)


def test_an_unknown_unit_names_the_known_ones():
    found = evaluate(LISTED, quantity=qty(1, "DZN"))
    assert isinstance(found, ValidationFailed)
    assert "EA, XBX, XPX" in found.message


def test_margin_is_told_against_cost():
    assert evaluate(LISTED).margin_percent == Decimal("37.50")
    assert evaluate(LISTED, what=item(cost="10", cost_currency="CAD")).margin_percent == Decimal("82.50")
    assert evaluate(LISTED, what=item(cost="10", cost_currency="MXN")).margin_percent is None


@pytest.mark.parametrize(
    ("unit", "level"),
    [
        pytest.param("33", None, id="a price above the floor needs nobody"),
        pytest.param("32.0512820512820513", None, id="a price at the floor needs nobody"),
        pytest.param("31.50", "SALES_MANAGER", id="up to three points below is the sales manager's"),
        pytest.param("30.50", "PRICING_DESK", id="more than three points below is the pricing desk's"),
        pytest.param("25", "PRICING_DESK", id="at cost is not below it"),
        pytest.param("24.99", "FINANCE_DIRECTOR", id="below cost is the finance director's"),
        pytest.param("0", "FINANCE_DIRECTOR", id="a gift is the finance director's"),
    ],
)
def test_who_approves_a_price_below_the_floor(unit: str, level: str | None):
    found = price.check_floor(item(cost="25", floor="22"), money(unit))
    assert (found.level if found else None) == level


def test_exactly_three_points_below_the_floor_is_still_the_sales_managers():
    found = price.check_floor(item(cost="75", floor="28"), money("100"))
    assert found is not None
    assert found.level == "SALES_MANAGER"


def test_a_cost_that_cannot_be_compared_goes_to_the_pricing_desk():
    found = price.check_floor(item(cost_currency="MXN"), money("100"))
    assert found is not None
    assert found.level == "PRICING_DESK"


# --- Properties ----------------------------------------------------------------------------------------------------

amounts = st.decimals(min_value="0.01", max_value="999", places=4)
levels = st.sampled_from([(LIST, {}), (PROMOTION, {}), (GROUP, {"group": "GOLD"}), (CONTRACT, {"account": "acc_1"})])


@st.composite
def price_rules(draw: st.DrawFn, name: str) -> PriceRule:
    level, whom = draw(levels)
    shape = draw(st.sampled_from(["unit", "percent", "breaks"]))
    what: dict[str, Any] = {}
    if shape == "unit" or (shape == "percent" and level is LIST):
        what["unit"] = str(draw(amounts))
    elif shape == "percent":
        what["percent"] = str(draw(st.integers(0, 60)))
    else:
        starts = draw(st.lists(st.integers(0, 50), min_size=1, max_size=4, unique=True))
        what["breaks"] = tuple((str(start), str(draw(amounts))) for start in starts)
    flags = {flag: draw(st.booleans()) for flag in ("exclusive", "combinable", "graduated")}
    scope = draw(st.sampled_from([{}, {"sku": None, "category": "PUMPS"}, {"sku": None}]))
    return rule(name, level, **whom, **what, **flags, **scope, priority=draw(st.integers(0, 2)))


rule_sets = st.integers(0, 8).flatmap(lambda count: st.tuples(*(price_rules(f"R{n}") for n in range(count))))


@given(rule_sets, st.randoms(use_true_random=False), st.integers(1, 60))
def test_the_price_does_not_depend_on_the_order_of_the_rules(rules: tuple[PriceRule, ...], random: Any, value: int):
    shuffled = list(rules)
    random.shuffle(shuffled)
    assert evaluate(*rules, quantity=qty(value)) == evaluate(*shuffled, quantity=qty(value))


@given(rule_sets, st.integers(1, 60))
def test_components_always_add_up_to_the_base_price(rules: tuple[PriceRule, ...], value: int):
    found = evaluate(*rules, quantity=qty(value))
    if isinstance(found, Price):
        assert sum(entry.amount.amount for entry in found.components) == found.unit.amount


@given(rule_sets, st.integers(1, 60), st.integers(1, 60))
def test_a_token_never_covers_a_quantity_with_another_price(rules: tuple[PriceRule, ...], value: int, other: int):
    found = evaluate(*rules, quantity=qty(value))
    if isinstance(found, Price):
        claims = SIGNER.verify(found.token)
        assert isinstance(claims, PriceClaims)
        assert claims.covers(Decimal(value))
        if claims.covers(Decimal(other)):
            again = evaluate(*rules, quantity=qty(other))
            assert isinstance(again, Price)
            assert again.unit == found.unit


@pytest.mark.parametrize(
    ("graduated", "quantity", "covered", "others"),
    [
        pytest.param(False, 30, (24, 30, 239), (1, 23, 240, 1_000), id="between two breaks"),
        pytest.param(False, 1, (1, 23), (24, 240), id="below the first break that is higher"),
        pytest.param(False, 500, (240, 500, 9_999), (1, 239), id="above the last break"),
        pytest.param(True, 30, (30,), (24, 29, 31), id="a graduated price is of its quantity alone"),
    ],
)
def test_a_token_covers_the_quantities_between_breaks(
    graduated: bool, quantity: int, covered: tuple[int, ...], others: tuple[int, ...]
):
    claims = SIGNER.verify(evaluate(replace(BREAKS, graduated=graduated), quantity=qty(quantity)).token)
    assert isinstance(claims, PriceClaims)
    assert [claims.covers(Decimal(entry)) for entry in (*covered, *others)] == [True] * len(covered) + [False] * len(
        others
    )


@given(
    st.lists(amounts, min_size=2, max_size=5, unique=True),
    st.sampled_from([CONTRACT, LIST]),
    st.booleans(),
    st.integers(1, 50),
    st.integers(1, 50),
)
def test_a_token_of_a_table_is_good_for_no_other_price_of_it(
    prices: list[Decimal], level: PriceLevel, graduated: bool, value: int, other: int
):
    table = tuple((str(place * 10), str(amount)) for place, amount in enumerate(prices))
    row = rule("T", level, account="acc_1" if level is CONTRACT else None, breaks=table, graduated=graduated)
    found, again = (evaluate(row, quantity=qty(entry)) for entry in (value, other))
    claims = SIGNER.verify(found.token)
    assert isinstance(claims, PriceClaims)
    if claims.covers(Decimal(other)):
        assert again.unit == found.unit


@given(
    st.lists(amounts, min_size=1, max_size=5),
    st.booleans(),
    st.integers(1, 80),
    st.integers(1, 80),
)
def test_more_never_costs_more_per_unit_where_the_table_falls(
    prices: list[Decimal], graduated: bool, one: int, other: int
):
    falling = sorted(prices, reverse=True)
    table = tuple((str(place * 10), str(amount)) for place, amount in enumerate(falling))
    contract = rule("C", CONTRACT, account="acc_1", breaks=table, graduated=graduated)
    few, many = sorted((one, other))
    assert evaluate(contract, quantity=qty(many)).unit.amount <= evaluate(contract, quantity=qty(few)).unit.amount


@given(rule_sets, st.integers(1, 60))
def test_a_promotion_never_makes_it_dearer(rules: tuple[PriceRule, ...], value: int):
    without = evaluate(*(entry for entry in rules if entry.level is not PROMOTION), quantity=qty(value))
    found = evaluate(*rules, quantity=qty(value))
    if isinstance(found, Price) and isinstance(without, Price):
        assert found.unit.amount <= without.unit.amount


@given(amounts, st.decimals(min_value="0.001", max_value="9999", places=3), st.sampled_from(["USD", "JPY", "KWD"]))
def test_the_extended_amount_is_within_half_a_minor_unit(amount: Decimal, value: Decimal, currency: str):
    found = evaluate(rule("L", LIST, str(amount), currency=currency), quantity=qty(value), currency=currency)
    half = {"USD": Decimal("0.005"), "JPY": Decimal("0.5"), "KWD": Decimal("0.0005")}[currency]
    assert abs(found.extended.amount - found.unit.amount * value) <= half
    assert found.extended == Money(found.extended.amount, currency)


def test_the_token_of_a_later_day_has_run_out_when_it_is_made():
    later = TODAY + timedelta(days=30)
    offer = rule("S", LIST, "20", start=later)
    found = evaluate(LISTED, offer, on=later)
    assert (found.unit, found.token_expires_at) == (money("20.0000"), NOW)
    today = evaluate(LISTED, offer)
    charged = price.settle(
        None, found.token, today, account_id="acc_1", base_quantity=Decimal(1), signer=SIGNER, now=NOW
    )
    assert isinstance(charged, PricingConflict)
    assert (charged.reason, charged.current) == (PricingConflictReason.TOKEN_EXPIRED, money("40.0000"))


@pytest.mark.parametrize(
    ("rules", "currency", "amount"),
    [
        pytest.param([LISTED, GOLD, OWN], "USD", "40", id="whoever has a better price"),
        pytest.param([rule("L", LIST, breaks=(("1", "40"), ("24", "35")))], "USD", "40", id="at the smallest quantity"),
        pytest.param([LISTED, rule("M", LIST, "41")], "USD", None, id="rows that contradict each other"),
        pytest.param([LISTED], "XXX", None, id="no rate"),
        pytest.param([GOLD, OWN], "USD", None, id="no list row"),
    ],
)
def test_the_list_price_is_that_of_one_base_unit(rules: list[PriceRule], currency: str, amount: str | None):
    found = price.list_price(item(), rules, currency, fx=lambda base, quote: RATES.get((base, quote)), on=TODAY)
    assert found == (None if amount is None else money(Decimal(amount).quantize(Decimal("0.0001")), currency))
