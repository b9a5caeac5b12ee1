"""How old stock may be: figures are marked after five minutes, and promise nothing from the shelf after an hour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from schema.enums import SourceSystem
from schema.records.inventory import StockPosition
from schema.records.values import Freshness

__all__ = ["SAFE_FOR", "STALE_AFTER", "freshness_of", "safe"]

STALE_AFTER = timedelta(minutes=5)
"""Stock older than this is marked as stale."""

SAFE_FOR = timedelta(minutes=60)
"""Stock older than this may have been sold over again: what is promised then is confirmed inbound supply alone."""


def safe(positions: Iterable[StockPosition], now: datetime) -> tuple[StockPosition, ...]:
    """Return positions as promises may count on them: of old ones nothing on the shelf is free."""
    return tuple(_spoken_for(entry) if _age(entry, now) > SAFE_FOR else entry for entry in positions)


def freshness_of(
    positions: Iterable[StockPosition],
    now: datetime,
    *,
    is_inbound_known: bool = True,
    fresh_for: timedelta = timedelta(),
) -> Freshness:
    """Return how old an answer over positions is: as its oldest position, and what the figures leave out.

    Args:
        positions: what the answer is made over; those with a time of reading come from the platform's copy.
        now: the moment of the answer.
        is_inbound_known: whether the ERP told what will arrive.
        fresh_for: how old a copy may be; none where the warehouse system was asked and gave no answer.
    """
    known = [entry.read_at for entry in positions if entry.read_at is not None]
    as_of = min(known, default=now)
    notes = []
    if known:
        notes.append("stock is as the warehouse system last told it")
    if now - as_of > SAFE_FOR:
        notes.append("only inbound supply is promised")
    if not is_inbound_known:
        notes.append("inbound supply is unknown: the ERP did not answer")
    is_stale = not is_inbound_known or (bool(known) and now - as_of >= fresh_for)
    return Freshness(SourceSystem.WMS, as_of, stale=is_stale, note="; ".join(notes) or None)


def _age(position: StockPosition, now: datetime) -> timedelta:
    return timedelta() if position.read_at is None else now - position.read_at


def _spoken_for(position: StockPosition) -> StockPosition:
    taken = position.blocked + position.allocated
    return replace(position, on_hand=min(position.on_hand, taken))
