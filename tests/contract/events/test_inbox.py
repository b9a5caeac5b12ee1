"""Inbound messages: stored once, handled in order, never lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from events.inbox import MAX_ATTEMPTS, Inbox, InboxMessage, UnknownMessage
from schema.enums import SourceSystem
from schema.records.operations import DeadLetter
from systems.platform.database import Database


def message(number: int) -> InboxMessage:
    return InboxMessage(SourceSystem.WMS, f"evt-{number}", "shipment.shipped", {"number": number})


class Graveyard:
    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []

    async def bury(self, letter: DeadLetter) -> None:
        self.letters.append(letter)

    async def unbury(self, letter_id: str) -> None:
        self.letters = [letter for letter in self.letters if letter.id != letter_id]


@pytest.fixture
def graveyard() -> Graveyard:
    return Graveyard()


@pytest.fixture
def inbox(database: Database, graveyard: Graveyard) -> Inbox:
    return Inbox(database, graveyard.bury, graveyard.unbury)


async def test_messages_are_handled_once_in_the_order_of_arrival(inbox: Inbox) -> None:
    handled: list[str] = []

    async def handle(one: InboxMessage) -> None:
        handled.append(one.message_id)

    assert [await inbox.accept(message(number)) for number in (2, 1, 2)] == [True, True, False]
    while await inbox.handle_next(handle):
        pass
    assert handled == ["evt-2", "evt-1"]


async def test_a_message_of_an_unknown_type_is_kept_and_lets_others_pass(inbox: Inbox, graveyard: Graveyard) -> None:
    async def handle(one: InboxMessage) -> None:
        if one.message_id == "evt-1":
            raise UnknownMessage("no handler for shipment.teleported")

    await inbox.accept(message(1))
    await inbox.accept(message(2))
    while await inbox.handle_next(handle):
        pass

    (letter,) = graveyard.letters
    assert (letter.id, letter.attempts, letter.payload) == ("dl_WMS_evt-1", 1, {"number": 1})
    assert "teleported" in letter.reason


async def test_a_message_that_fails_is_tried_again_and_then_kept(inbox: Inbox, graveyard: Graveyard) -> None:
    tries: list[int] = []

    async def handle(one: InboxMessage) -> None:
        tries.append(one.payload["number"])
        raise RuntimeError("the ledger is away")

    await inbox.accept(message(1))
    while await inbox.handle_next(handle):
        pass

    assert tries == [1] * MAX_ATTEMPTS
    assert [letter.attempts for letter in graveyard.letters] == [MAX_ATTEMPTS]


async def test_an_empty_inbox_says_so(inbox: Inbox) -> None:
    async def handle(_: InboxMessage) -> None:
        raise AssertionError("there is nothing to handle")

    assert await inbox.handle_next(handle) is False


async def test_handled_messages_are_forgotten_after_a_time_and_others_are_kept(inbox: Inbox) -> None:
    async def handle(one: InboxMessage) -> None:
        if one.message_id == "evt-2":
            raise UnknownMessage("what is this?")

    for number in (1, 2, 3):
        await inbox.accept(message(number))
    await inbox.handle_next(handle)
    await inbox.handle_next(handle)
    later = datetime.now(UTC) + timedelta(seconds=1)
    assert await inbox.forget(later - timedelta(days=1), 10) == 0
    assert await inbox.forget(later, 10) == 1
    assert await inbox.accept(message(1)), "a forgotten message may come again"
    assert not await inbox.accept(message(2)), "a dead letter is kept"
    assert not await inbox.accept(message(3)), "a message that waits is kept"


async def test_a_dead_letter_is_handled_again_under_its_id_and_is_gone_then(inbox: Inbox, graveyard: Graveyard) -> None:
    handled: list[InboxMessage] = []

    async def refuse(one: InboxMessage) -> None:
        raise UnknownMessage("nobody knows it yet")

    async def handle(one: InboxMessage) -> None:
        handled.append(one)

    await inbox.accept(message(1))
    await inbox.handle_next(refuse)
    (letter,) = graveyard.letters
    for _ in range(2):
        await inbox.reopen(letter)
    while await inbox.handle_next(handle):
        pass
    (again,) = handled
    assert (again.message_id, again.payload, again.replayed) == ("evt-1", message(1).payload, True)
    assert again.received_at == letter.first_seen
    assert graveyard.letters == []


async def test_a_dead_letter_that_fails_again_stays(inbox: Inbox, graveyard: Graveyard) -> None:
    async def refuse(one: InboxMessage) -> None:
        raise UnknownMessage("nobody knows it yet")

    await inbox.accept(message(1))
    await inbox.handle_next(refuse)
    await inbox.reopen(graveyard.letters[0])
    assert await inbox.handle_next(refuse)
    assert not await inbox.handle_next(refuse)
    assert {letter.id for letter in graveyard.letters} == {"dl_WMS_evt-1"}


async def test_a_dead_letter_whose_message_is_forgotten_comes_back_as_of_when_it_came(
    inbox: Inbox, graveyard: Graveyard
) -> None:
    handled: list[InboxMessage] = []

    async def handle(one: InboxMessage) -> None:
        handled.append(one)

    first_seen = datetime(2026, 1, 1, tzinfo=UTC)
    letter = DeadLetter("dl_WMS_evt-9", SourceSystem.WMS, "stock.changed", "unknown", 1, first_seen, {"a": 1})
    await inbox.reopen(letter)
    assert await inbox.handle_next(handle)
    assert [(one.message_id, one.type, one.received_at) for one in handled] == [("evt-9", "stock.changed", first_seen)]
