"""Quotes in the CRM: as they stand, one each, after any outage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from processes.quote_mirror import QuoteMirrorFeed, pass_over_quotes
from processes.quote_news import take_quote_news
from processes.quote_watch import QuoteWatch
from processes.quote_writes import quote_event
from schema.enums import QuoteStatus, SourceSystem
from schema.records.values import PageRequest
from systems.errors import Rejected, Unavailable
from systems.news import QuoteNews
from tests.support.platform_records import quote
from tests.support.process_world import ProcessWorld
from tests.support.rule_records import NOW

CRM = SourceSystem.CRM


async def tell(world: ProcessWorld, count: int = 1, status: QuoteStatus = QuoteStatus.APPROVED) -> None:
    made = quote(count, status=status)
    events = [quote_event(made, NOW, what, what, {}) for what in ("created", "priced")]
    await world.use.quotes.save(made, events)


async def test_a_quote_is_shown_as_it_stands_once_for_all_that_has_happened(world: ProcessWorld) -> None:
    await tell(world)
    assert [await QuoteMirrorFeed(world.use).look() for _ in range(2)] == [2, 0]
    assert world.kept.all("mirror", "quo_1") == ["Q-900001 APPROVED"]
    assert world.script.calls.count("mirror_quote") == 1


async def test_what_becomes_of_a_quote_later_follows(world: ProcessWorld) -> None:
    mirror = QuoteMirrorFeed(world.use)
    await tell(world)
    await mirror.look()
    await take_quote_news(world.use, QuoteNews("crm-1", "quo_1", QuoteStatus.SENT, NOW))
    assert (await mirror.look(), world.kept.all("mirror", "quo_1")) == (1, ["Q-900001 SENT"])
    world.clock.at = NOW.replace(year=quote().valid_until.year + 1)
    await QuoteWatch(world.use).look()
    assert (await mirror.look(), world.kept.all("mirror", "quo_1")) == (1, ["Q-900001 EXPIRED"])


async def test_while_the_crm_is_away_quotes_wait_and_are_then_shown_as_they_stand(world: ProcessWorld) -> None:
    for count in (1, 2):
        await tell(world, count)
    world.script.before["mirror_quote"].append(Unavailable(CRM, "mirror quote", "away", outcome_unknown=True))
    mirror = QuoteMirrorFeed(world.use)
    with pytest.raises(Unavailable):
        await mirror.look()
    stored = (await world.use.quotes.quotes(["quo_1"]))["quo_1"]
    await world.use.quotes.save(replace(stored, status=QuoteStatus.DECLINED))
    assert await mirror.look() > 0
    assert world.kept.all("mirror", "quo_1") == ["Q-900001 DECLINED"]
    assert world.kept.all("mirror", "quo_2") == ["Q-900002 APPROVED"]


async def test_a_quote_that_the_crm_does_not_take_is_a_dead_letter_and_the_others_go_on(world: ProcessWorld) -> None:
    for count in (1, 2):
        await tell(world, count)
    world.script.before["mirror_quote"].append(Rejected(CRM, "mirror quote", "no such opportunity", reason="FIELD"))
    assert await QuoteMirrorFeed(world.use).look() == 4
    assert (world.kept.all("mirror", "quo_1"), len(world.kept.all("mirror", "quo_2"))) == ([], 1)
    (letter,) = (await world.use.dead_letters.search(None, PageRequest(10))).items
    assert (letter.payload["quoteId"], "no such opportunity" in letter.reason) == ("quo_1", True)


async def test_a_past_that_was_passed_over_is_not_shown_and_what_follows_is(world: ProcessWorld) -> None:
    await tell(world)
    await pass_over_quotes(world.use.events, world.use.cursors)
    await tell(world, 2)
    await QuoteMirrorFeed(world.use).look()
    assert (world.kept.all("mirror", "quo_1"), len(world.kept.all("mirror", "quo_2"))) == ([], 1)
