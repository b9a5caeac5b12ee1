"""What the CRM tells of quotes: sent, accepted, declined, taken back, in the order of its times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone
from itertools import permutations
from typing import Any

import pytest

from processes.quote_mirror import QuoteMirrorFeed
from processes.quote_news import take_quote_news
from schema.enums import ProcessState, QuoteStatus, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.orders import ApprovalRecord, Quote
from systems.errors import Conflict
from systems.news import QuoteNews
from tests.support.platform_records import quote
from tests.support.process_world import ProcessWorld, line, run_order, submission
from tests.support.rule_records import NOW

S = QuoteStatus
SENT = QuoteNews("crm-1", "quo_1", S.SENT, NOW)
ACCEPTED = QuoteNews("crm-2" + "x" * 140, "quo_1", S.ACCEPTED, NOW + timedelta(hours=2))
DECLINED = QuoteNews("crm-3", "quo_1", S.DECLINED, NOW + timedelta(hours=1))
RECALLED = QuoteNews("crm-4", "quo_1", S.DRAFT, NOW + timedelta(minutes=30))
SENT_AGAIN = QuoteNews("crm-5", "quo_1", S.SENT, NOW + timedelta(minutes=40))
RECALLED_LATE = QuoteNews("crm-6", "quo_1", S.DRAFT, NOW + timedelta(hours=3))


@pytest.fixture(autouse=True)
async def quoted(world: ProcessWorld) -> None:
    await world.use.quotes.save(quote(status=S.APPROVED))


async def stored(world: ProcessWorld, quote_id: str = "quo_1") -> Quote:
    return (await world.use.quotes.quotes([quote_id]))[quote_id]


async def told(world: ProcessWorld, quote_id: str = "quo_1") -> list[tuple[str, datetime]]:
    found = await world.use.events.read(EventFilter(partition_key=quote_id), None, 100)
    return [(entry.event.type, entry.event.occurred_at) for entry in found]


@pytest.mark.parametrize(
    ("news", "status", "types"),
    [
        pytest.param([SENT], S.SENT, ["quote.sent"], id="sent"),
        pytest.param([SENT, ACCEPTED], S.ACCEPTED, ["quote.sent", "quote.accepted"], id="sent and accepted"),
        pytest.param([SENT, DECLINED], S.DECLINED, ["quote.sent", "quote.declined"], id="sent and declined"),
        pytest.param([DECLINED, ACCEPTED], S.ACCEPTED, ["quote.declined", "quote.accepted"], id="thought again"),
        pytest.param([ACCEPTED, DECLINED], S.ACCEPTED, ["quote.accepted"], id="an answer that comes late"),
        pytest.param([ACCEPTED, SENT, SENT], S.ACCEPTED, ["quote.accepted", "quote.sent"], id="sent, heard of late"),
        pytest.param([SENT, SENT, ACCEPTED, ACCEPTED], S.ACCEPTED, ["quote.sent", "quote.accepted"], id="all twice"),
        pytest.param([replace(SENT, status=None)], S.APPROVED, [], id="nothing of the customer"),
        pytest.param([replace(SENT, quote_id="quo_9")], S.APPROVED, [], id="another quote"),
    ],
)
async def test_what_the_crm_says_becomes_the_status(
    world: ProcessWorld, news: Sequence[QuoteNews], status: QuoteStatus, types: Sequence[str]
) -> None:
    for entry in news:
        await take_quote_news(world.use, entry)
    at = {"quote.sent": SENT.at, "quote.accepted": ACCEPTED.at, "quote.declined": DECLINED.at}
    assert (await stored(world)).status is status
    assert sorted(await told(world)) == sorted((name, at[name]) for name in types)


@pytest.mark.parametrize(
    ("news", "status", "types"),
    [
        pytest.param([SENT, RECALLED], S.PRICED, ["sent", "recalled"], id="taken back"),
        pytest.param([SENT, RECALLED, SENT_AGAIN], S.SENT, ["sent", "recalled", "sent"], id="sent again"),
        pytest.param([SENT, RECALLED, DECLINED], S.DECLINED, ["sent", "recalled", "declined"], id="then answered"),
        pytest.param([SENT, DECLINED, RECALLED_LATE], S.DECLINED, ["sent", "declined"], id="answered before"),
        pytest.param([SENT, ACCEPTED, RECALLED_LATE], S.ACCEPTED, ["sent", "accepted"], id="accepted before"),
        pytest.param([SENT, RECALLED, RECALLED_LATE], S.PRICED, ["sent", "recalled"], id="taken back twice"),
    ],
)
async def test_a_quote_is_taken_back_unless_it_is_answered_in_whatever_order_that_is_heard(
    world: ProcessWorld, news: Sequence[QuoteNews], status: QuoteStatus, types: Sequence[str]
) -> None:
    for count, order in enumerate(permutations([*news, *news[:1]]), 1):
        name = f"quo_x{count}"
        await world.use.quotes.save(replace(quote(count + 1), id=name))
        for entry in order:
            await take_quote_news(world.use, replace(entry, quote_id=name))
        assert (await stored(world, name)).status is status, order
        if list(order[: len(news)]) == list(news):
            names = [entry for entry, _ in await told(world, name) if entry != "quote.answer.refused"]
            assert names == [f"quote.{name}" for name in types]


@pytest.mark.parametrize("said", [S.DRAFT, S.PRICED, S.PENDING_APPROVAL, S.APPROVED])
async def test_a_quote_that_is_taken_back_is_what_it_was_before_it_was_sent(
    world: ProcessWorld, said: QuoteStatus
) -> None:
    asked = ApprovalRecord("SALES_MANAGER", "below floor", NOW, NOW, "APPROVED")
    await world.use.quotes.save(replace(await stored(world), status=S.SENT, approvals=(asked,)))
    await take_quote_news(world.use, replace(RECALLED, status=said))
    assert ((await stored(world)).status, await told(world)) == (S.APPROVED, [("quote.recalled", RECALLED.at)])


async def test_an_older_recall_of_an_accepted_quote_changes_and_tells_nothing(world: ProcessWorld) -> None:
    await take_quote_news(world.use, ACCEPTED)
    await take_quote_news(world.use, RECALLED)
    assert ((await stored(world)).status, await told(world)) == (S.ACCEPTED, [("quote.accepted", ACCEPTED.at)])


@pytest.mark.parametrize("status", [S.DRAFT, S.PENDING_APPROVAL, S.REJECTED, S.EXPIRED, S.CONVERTED, S.SUPERSEDED])
async def test_a_quote_that_cannot_be_ordered_stays_what_it_is_and_the_crm_shows_it_so_again(
    world: ProcessWorld, status: QuoteStatus
) -> None:
    await world.use.quotes.save(replace(await stored(world), status=status))
    for _ in range(2):
        await take_quote_news(world.use, ACCEPTED)
    assert ((await stored(world)).status, await told(world)) == (status, [("quote.answer.refused", ACCEPTED.at)])
    assert await QuoteMirrorFeed(world.use).look() == 1
    assert world.kept.all("mirror", "quo_1") == [f"Q-900001 {status}"]


@pytest.mark.parametrize("said", [S.DRAFT, S.EXPIRED, S.CONVERTED])
async def test_what_the_platform_decides_itself_is_put_right_when_people_say_it(
    world: ProcessWorld, said: QuoteStatus
) -> None:
    await take_quote_news(world.use, replace(SENT, status=said))
    assert ((await stored(world)).status, await told(world)) == (S.APPROVED, [("quote.answer.refused", SENT.at)])


@pytest.mark.parametrize(
    ("at", "status"),
    [
        pytest.param(time(23, 59, 59), S.ACCEPTED, id="on its last day"),
        pytest.param(time(23, 59, 59, tzinfo=timezone(timedelta(hours=-1))), S.APPROVED, id="past it in UTC"),
    ],
)
async def test_a_quote_is_answered_until_its_last_day_is_over(
    world: ProcessWorld, at: time, status: QuoteStatus
) -> None:
    moment = datetime.combine((await stored(world)).valid_until, at, at.tzinfo or UTC)
    await take_quote_news(world.use, replace(ACCEPTED, at=moment))
    assert (await stored(world)).status is status
    taken = "quote.accepted" if status is S.ACCEPTED else "quote.answer.refused"
    assert await told(world) == [(taken, moment)]


async def test_an_accepted_quote_is_ordered_and_one_that_is_declined_is_not(world: ProcessWorld) -> None:
    asked = submission(line(6), quote_id="quo_1")
    await take_quote_news(world.use, DECLINED)
    refused = await run_order(world, asked)
    await take_quote_news(world.use, ACCEPTED)
    taken = await run_order(world, asked, name="2")
    assert (refused.ending.state, taken.ending.state) == (ProcessState.FAILED, ProcessState.COMPLETED)
    assert (await stored(world)).order_id == "ord_2"


async def test_news_that_meet_another_write_look_again(world: ProcessWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    save = type(world.use.quotes).save

    async def late(store: Any, wanted: Quote, events: Sequence[Any] = ()) -> Quote:
        monkeypatch.undo()
        await take_quote_news(world.use, ACCEPTED)
        return await save(store, wanted, events)

    monkeypatch.setattr(type(world.use.quotes), "save", late)
    await take_quote_news(world.use, DECLINED)
    assert ((await stored(world)).status, await told(world)) == (S.ACCEPTED, [("quote.accepted", ACCEPTED.at)])


async def test_news_of_a_quote_that_others_write_all_the_time_are_handed_in_again(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> Quote:
        raise Conflict(SourceSystem.PLATFORM, "save quote", "busy")

    monkeypatch.setattr(type(world.use.quotes), "save", busy)
    with pytest.raises(Conflict, match="changed 8 times"):
        await take_quote_news(world.use, SENT)
