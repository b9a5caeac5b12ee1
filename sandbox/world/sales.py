"""What sales and service keep: opportunities, cases, quotes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from sandbox.world.chance import Chance
from sandbox.world.model import (
    WorldAccount,
    WorldCase,
    WorldItem,
    WorldOpportunity,
    WorldOrder,
    WorldQuote,
    WorldQuoteLine,
    WorldShipTo,
)
from sandbox.world.prices import list_price

__all__ = ["make_cases", "make_opportunities", "make_quotes"]

OPPORTUNITIES = 80
CASES = 90
QUOTES = 300
CONVERTED = 110
FIRST_QUOTE = 500_000

_CENT = Decimal("0.01")
_STAGES = (
    ("Prospecting", 25.0),
    ("Proposal", 30.0),
    ("Negotiation", 20.0),
    ("Closed Won", 15.0),
    ("Closed Lost", 10.0),
)
_SUBJECTS = (
    "Where is my order",
    "Damaged on arrival",
    "Invoice does not match",
    "Wrong item delivered",
    "Change of address",
)
_OPEN_QUOTES = (("SENT", 35.0), ("EXPIRED", 30.0), ("PRICED", 15.0), ("DECLINED", 12.0), ("APPROVED", 8.0))
_ANSWERED = ("ANSWERED", "RESOLVED", "CLOSED")
_STORY = "SO-204511"


def make_opportunities(seed: int, now: datetime, accounts: Sequence[WorldAccount]) -> tuple[WorldOpportunity, ...]:
    """Return opportunities; opp_9 is an open one of acc_1."""
    chance = Chance.of(seed, "opportunities")
    made = []
    for number in range(1, OPPORTUNITIES + 1):
        account = accounts[0] if number == 9 else chance.one(accounts)
        stage = "Negotiation" if number == 9 else chance.weighted(_STAGES)
        made.append(
            WorldOpportunity(
                id=f"opp_{number}",
                account_id=account.id,
                name=f"{account.name} {chance.one(('expansion', 'maintenance', 'retrofit', 'annual supply'))}",
                stage=stage,
                amount=chance.amount(5, 180) * 1_000,
                close_date=now.date() + timedelta(days=chance.whole(5, 120)),
                owner_id=account.owner_id,
                is_closed=stage.startswith("Closed"),
            )
        )
    return tuple(made)


def make_cases(
    seed: int, now: datetime, accounts: Sequence[WorldAccount], orders: Sequence[WorldOrder]
) -> tuple[WorldCase, ...]:
    """Return service cases; the first three are open ones of acc_1."""
    chance = Chance.of(seed, "cases")
    of_account: dict[str, list[WorldOrder]] = {}
    for order in orders:
        of_account.setdefault(order.account_id, []).append(order)
    made = []
    for number in range(1, CASES + 1):
        planted = number <= 3
        account = accounts[0] if planted else chance.one(accounts)
        status = "OPEN" if planted else chance.one(("OPEN", "ANSWERED", "WAITING_CUSTOMER", "RESOLVED", "CLOSED"))
        opened = now - timedelta(hours=chance.whole(2, 60) if status == "OPEN" else chance.whole(80, 6_000))
        known = of_account.get(account.id)
        made.append(
            WorldCase(
                id=f"cas_{number}",
                number=f"{10_000 + number:08d}",
                account_id=account.id,
                order_id=known[-1 - number % min(3, len(known))].id if known else None,
                subject=_SUBJECTS[number % len(_SUBJECTS)],
                status=status,
                priority=chance.one(("LOW", "MEDIUM", "MEDIUM", "HIGH")),
                opened_at=opened,
                first_response_at=opened + timedelta(minutes=chance.whole(10, 400)) if status in _ANSWERED else None,
                resolved_at=opened + timedelta(hours=chance.whole(8, 70)) if status in _ANSWERED[1:] else None,
            )
        )
    return tuple(made)


def make_quotes(
    seed: int,
    now: datetime,
    accounts: Sequence[WorldAccount],
    ship_tos: Sequence[WorldShipTo],
    items: Sequence[WorldItem],
    orders: Sequence[WorldOrder],
) -> tuple[tuple[WorldQuote, ...], tuple[WorldOrder, ...]]:
    """Return quotes, and the orders with those that came of a quote naming it; SO-204511 is one of them."""
    chance = Chance.of(seed, "quotes")
    by_sku = {item.sku: item for item in items}
    able = [order for order in orders if order.in_erp and order.number != _STORY]
    story = next(order for order in orders if order.number == _STORY)
    chosen = {order.id for order in [story, *chance.sample(able, CONVERTED - 1)]}
    quotes: list[WorldQuote] = []
    named = []
    for order in orders:
        if order.id not in chosen:
            named.append(order)
            continue
        quote = _converted(chance, len(quotes) + 1, order, by_sku)
        quotes.append(quote)
        named.append(replace(order, quote_id=quote.id))
    first_place = {place.account_id: place for place in reversed(ship_tos)}
    sold = [item for item in items if item.status == "ACTIVE"]
    buyers = [account for account in accounts if account.status == "ACTIVE"]
    while len(quotes) < QUOTES:
        account = chance.one(buyers)
        quotes.append(_open(chance, len(quotes) + 1, now, account, first_place[account.id], sold))
    return tuple(quotes), tuple(named)


def _converted(chance: Chance, number: int, order: WorldOrder, by_sku: dict[str, WorldItem]) -> WorldQuote:
    lines = tuple(
        WorldQuoteLine(
            line_no=line.line_no,
            sku=line.sku,
            uom=line.uom,
            quantity=line.ordered,
            unit_price=line.unit_price,
            list_price=(line.unit_price / Decimal("0.9")).quantize(_CENT, ROUND_HALF_UP),
            price_source="CONTRACT" if chance.happens(40) else "PRICE_GROUP",
            extended=line.extended,
        )
        for line in order.lines
        if line.sku in by_sku
    )
    created = order.submitted_at - timedelta(days=chance.whole(1, 12), minutes=chance.whole(0, 400))
    return WorldQuote(
        id=f"quo_{number}",
        number=f"Q-{FIRST_QUOTE + number}",
        status="CONVERTED",
        account_id=order.account_id,
        ship_to_id=order.ship_to_id,
        opportunity_id=order.opportunity_id,
        currency=order.currency,
        lines=lines,
        total=sum((line.extended for line in lines), Decimal(0)),
        valid_until=created.date() + timedelta(days=30),
        created_at=created,
        created_by=f"user:usr_{chance.whole(1, 4)}",
        order_id=order.id,
    )


def _open(
    chance: Chance, number: int, now: datetime, account: WorldAccount, place: WorldShipTo, sold: Sequence[WorldItem]
) -> WorldQuote:
    status = chance.weighted(_OPEN_QUOTES)
    age = chance.whole(31, 400) if status in ("EXPIRED", "DECLINED") else chance.whole(0, 25)
    created = now - timedelta(days=age, minutes=chance.whole(1, 600))
    lines = []
    for line_no, item in enumerate(dict.fromkeys(chance.one(sold) for _ in range(chance.whole(1, 6))), 1):
        listed = list_price(item, account.currency)
        price = (listed * Decimal(chance.whole(85, 97)) / 100).quantize(_CENT, ROUND_HALF_UP)
        quantity = chance.amount(1, 30)
        extended = (price * quantity).quantize(_CENT, ROUND_HALF_UP)
        lines.append(WorldQuoteLine(line_no, item.sku, "EA", quantity, price, listed, "PRICE_GROUP", extended))
    return WorldQuote(
        id=f"quo_{number}",
        number=f"Q-{FIRST_QUOTE + number}",
        status=status,
        account_id=account.id,
        ship_to_id=place.id,
        opportunity_id=None,
        currency=account.currency,
        lines=tuple(lines),
        total=sum((line.extended for line in lines), Decimal(0)),
        valid_until=created.date() + timedelta(days=30),
        created_at=created,
        created_by=account.owner_id.replace("usr_", "user:usr_"),
        order_id=None,
    )
