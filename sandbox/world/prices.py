"""The price book: list prices, price groups, contracts, promotions, and exchange rates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from sandbox.world.chance import Chance
from sandbox.world.model import WorldAccount, WorldBreak, WorldItem, WorldPriceRule
from sandbox.world.parties import PRICE_GROUPS

__all__ = ["RATES", "exchange_rates", "list_price", "make_prices"]

RULES = 6_000
CONTRACTS = 900
PROMOTIONS = 40

RATES: dict[str, Decimal] = {
    "USD": Decimal(1), "CAD": Decimal("1.37"), "EUR": Decimal("0.92"), "MXN": Decimal("18.40"),
}  # fmt: skip
"""Units of a currency for one dollar."""

_LIST_MARGIN = Decimal("0.42")
_STEP = Decimal("0.01")


def list_price(item: WorldItem, currency: str) -> Decimal:
    """Return the list price of a base unit."""
    return _rounded(item.unit_cost / (1 - _LIST_MARGIN) * RATES[currency])


def exchange_rates(today: date) -> tuple[tuple[str, str, date, Decimal], ...]:
    """Return rates from every currency to every other: (from, to, from when, rate)."""
    first = today - timedelta(days=30)
    return tuple(
        (one, other, first, (rate_other / rate_one).quantize(Decimal("0.000001"), ROUND_HALF_UP))
        for one, rate_one in RATES.items()
        for other, rate_other in RATES.items()
        if one != other
    )


def make_prices(
    seed: int,
    now: datetime,
    items: Sequence[WorldItem],
    accounts: Sequence[WorldAccount],
    planted: Sequence[WorldPriceRule],
) -> tuple[WorldPriceRule, ...]:
    """Return 6,000 rules, the planted ones first.

    A random contract never meets an account and item of a planted one. List prices of next year overlap with those of
    this year by a month, with a higher priority.
    """
    chance = Chance.of(seed, "prices")
    today = now.date()
    since = today - timedelta(days=700)
    rules = [
        _rule("LIST", f"LIST-{item.sku}-{currency}", currency, since, sku=item.sku, unit=list_price(item, currency))
        for item in items
        for currency in RATES
    ]
    for place, (group, currency) in enumerate(PRICE_GROUPS.items()):
        factor = Decimal(97 - place) / 100
        rules += [
            _rule(
                "PRICE_GROUP",
                f"{group}-{item.sku}",
                currency,
                since,
                price_group=group,
                sku=item.sku,
                unit=_rounded(list_price(item, currency) * factor),
            )
            for item in items
        ]
    taken = {(rule.account_id, rule.sku) for rule in planted}
    rules += _contracts(chance, today, items, accounts, taken, CONTRACTS - len(planted))
    rules += _promotions(chance, today, items)
    rules += _next_year(today, items, RULES - len(rules) - len(planted))
    return (*planted, *rules)


def _contracts(
    chance: Chance,
    today: date,
    items: Sequence[WorldItem],
    accounts: Sequence[WorldAccount],
    taken: set[tuple[str | None, str | None]],
    count: int,
) -> list[WorldPriceRule]:
    made: list[WorldPriceRule] = []
    while len(made) < count:
        account, item = chance.one(accounts), chance.one(items)
        if (account.id, item.sku) in taken:
            continue
        taken.add((account.id, item.sku))
        unit = _rounded(list_price(item, account.currency) * Decimal(chance.whole(78, 90)) / 100)
        breaks: tuple[WorldBreak, ...] = ()
        if chance.happens(40):
            breaks = tuple(
                WorldBreak(Decimal(least), _rounded(unit * (100 - off) / 100))
                for least, off in ((1, 0), (10, 2), (50, 4))
            )
        made.append(
            _rule(
                "CONTRACT",
                f"CON-{account.number}-{item.sku}",
                account.currency,
                today - timedelta(days=chance.whole(30, 300)),
                valid_to=today + timedelta(days=chance.whole(60, 400)),
                account_id=account.id,
                sku=item.sku,
                unit=None if breaks else unit,
                breaks=breaks,
                priority=10,
                inherit=chance.happens(50),
                exclusive=chance.happens(30),
            )
        )
    return made


def _promotions(chance: Chance, today: date, items: Sequence[WorldItem]) -> list[WorldPriceRule]:
    made = []
    for number in range(1, PROMOTIONS + 1):
        item = chance.one(items)
        start = today + timedelta(days=chance.whole(-60, 40))
        made.append(
            _rule(
                "PROMOTION",
                f"PROMO-{number:03d}",
                "USD",
                start,
                valid_to=start + timedelta(days=30),
                sku=item.sku,
                discount_percent=Decimal(chance.one((5, 8, 10, 12))),
                combinable=chance.happens(30),
            )
        )
    return made


def _next_year(today: date, items: Sequence[WorldItem], count: int) -> list[WorldPriceRule]:
    start = date(today.year + 1, 1, 1)
    return [
        _rule(
            "LIST",
            f"LIST-{start.year}-{item.sku}",
            "USD",
            start,
            sku=item.sku,
            unit=_rounded(list_price(item, "USD") * Decimal("1.03")),
            priority=1,
        )
        for item in items[:count]
    ]


def _rule(
    level: str,
    number: str,
    currency: str,
    valid_from: date,
    *,
    valid_to: date | None = None,
    account_id: str | None = None,
    price_group: str | None = None,
    sku: str | None = None,
    unit: Decimal | None = None,
    discount_percent: Decimal | None = None,
    breaks: tuple[WorldBreak, ...] = (),
    priority: int = 0,
    inherit: bool = False,
    exclusive: bool = False,
    combinable: bool = False,
) -> WorldPriceRule:
    return WorldPriceRule(
        id=f"prr_{number}",
        number=number,
        level=level,
        currency=currency,
        account_id=account_id,
        price_group=price_group,
        sku=sku,
        category_code=None,
        brand=None,
        unit=unit,
        discount_percent=discount_percent,
        breaks=breaks,
        valid_from=valid_from,
        valid_to=valid_to,
        priority=priority,
        inherit=inherit,
        exclusive=exclusive,
        combinable=combinable,
        graduated=False,
    )


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_STEP, ROUND_HALF_UP)
