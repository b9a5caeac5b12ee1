"""One stream of events for many who follow it.

1. What the source gives is kept once, for all. Each member knows its place among the last events and takes all that
   came since, when it is ready to.
2. Members are woken in rounds, a bounded number in each turn of the loop, so that a stream with thousands of members
   leaves time for others. The rounds of a quick stream are a few milliseconds apart: then a member takes several
   events at once, and what they cost together is hardly more than what one does.
3. While a member lacks as many events as may wait, the source is not read on. One that keeps others from going on for
   a second in all, without having kept up meanwhile, falls behind: it gets what waited for it and then
   :class:`FellBehind`. So does one that nobody waits for, once it has used up the patience.
4. Where events have cursors, one who joins after one of the last events gets what it lacks first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from itertools import islice
from typing import Generic, TypeVar

__all__ = ["Bell", "FanOut", "FellBehind", "Member"]

HOLD_UP_S = 1.0
"""Seconds for which a slow member may keep others waiting; after a burst of events most catch up within this."""

MAX_WOKEN = 200
"""Members woken in one turn of the loop; each writes to its client then, which takes some ten microseconds."""

_REPLAYED_SHARE = 2
"""One part in so many of what may wait for a member is remembered for those who join with a cursor."""

T = TypeVar("T")


class FellBehind(Exception):
    """A member was slower than the stream; ``held_up_others`` when it was for their sake that it was let go."""

    def __init__(self, *, held_up_others: bool) -> None:
        super().__init__("slower than the stream")
        self.held_up_others = held_up_others


class Bell:
    """Wakes the one who waits, by a future that is there only while somebody does."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Let the wait that is under way end; without one nothing happens."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait(self) -> None:
        """Return when the bell rings next."""
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting


class Member(Generic[T]):
    """One who follows; ``wake`` is called when there may be something to take, or the end."""

    __slots__ = ("_fault", "_is_ended", "_left", "_stream", "held_up_s", "place", "wake")

    def __init__(self, stream: FanOut[T], place: int, wake: Callable[[], None]) -> None:
        self._stream = stream
        self._left: list[T] | None = None
        self._fault: Exception | None = None
        self._is_ended = False
        self.place = place
        """Number of the next event that it takes."""
        self.held_up_s = 0.0
        """Seconds for which others waited for this one since it last kept up."""
        self.wake = wake

    @property
    def is_over(self) -> bool:
        """Whether nothing comes any more, and all that came was taken."""
        return self._is_ended and not self._left and (self._left is not None or self.place == self._stream.end)

    @property
    def fault(self) -> Exception | None:
        """What ended the stream, None when it was complete."""
        return self._fault

    def take(self) -> list[T]:
        """Return what came since the last time, the oldest first; the list is the caller's."""
        if self._left is not None:
            found, self._left = self._left, []
            return found
        return self._stream.take(self)

    def finish(self, fault: Exception | None, left: list[T] | None = None) -> None:
        """Let the member take what waits, then the fault; ``left`` is what it keeps where it is a member no more."""
        if not self._is_ended:
            self._is_ended, self._fault, self._left = True, fault, left
            self.wake()

    def leave(self) -> None:
        """Follow no longer; the source is closed with its last member."""
        self._stream.leave(self)

    async def left(self) -> None:
        """Return when the source is closed, after its last member has left; at once while others follow."""
        await self._stream.closed()


class FanOut(Generic[T]):
    """Reads one stream for its members. Its reader starts at once; ``reader`` is done when the source is closed.

    Args:
        events: the source.
        max_waiting: events that may wait for one member.
        after: cursor after which the source begins, None when it begins with what happens from now on.
        cursor_of: reads the cursor of an event; None where there are none.
        pace_s: seconds between two rounds of waking.
        patience_s: seconds for which a member may lack as much as may wait, None for ever.
    """

    def __init__(
        self,
        events: AsyncGenerator[T, None],
        max_waiting: int,
        *,
        after: str | None = None,
        cursor_of: Callable[[T], str | None] | None = None,
        pace_s: float = 0.0,
        patience_s: float | None = None,
    ) -> None:
        self._events = events
        self._max_waiting = max_waiting
        self._cursor_of = cursor_of
        self._after = after
        self._begins_after = after
        """Cursor of the event before the first one that is remembered."""
        self._remembered = max_waiting // _REPLAYED_SHARE if cursor_of is not None else 0
        self._pace_s = pace_s
        self._patience_s = patience_s
        self._members: dict[Member[T], None] = {}
        self._last: list[T] = []
        self._first = 0
        """Number of the first event that is remembered."""
        self._slowest = 0
        """No member's place is before this one."""
        self._announced = 0
        self._next_round_at = 0.0
        self._round: asyncio.Handle | None = None
        self._room = Bell()
        self._is_over = False
        self.reader = asyncio.get_running_loop().create_task(self._read())

    @property
    def end(self) -> int:
        """Number of the event that comes next."""
        return self._first + len(self._last)

    def takes_in(self, after: str | None) -> bool:
        """Tell whether one with this cursor misses nothing here and gets nothing twice."""
        if self._is_over:
            return False
        if after is None:
            return self._after is None
        return self._place_after(after) is not None

    def join(self, after: str | None, wake: Callable[[], None]) -> Member[T]:
        """Add a member that the stream takes in; what it lacks can be taken at once."""
        place = self.end if after is None else self._place_after(after)
        assert place is not None  # noqa: S101 - the caller has asked takes_in
        member = Member(self, place, wake)
        self._members[member] = None
        self._slowest = min(self._slowest, place)
        return member

    def leave(self, member: Member[T]) -> None:
        """Take a member out; the last one closes the source."""
        if self._members.pop(member, member) is member:
            return  # it had been let go, or has left before
        self._room.ring()
        if not self._members:
            self.close(None)

    def close(self, fault: Exception | None) -> None:
        """Close the source, and end the stream with a fault for those who follow it yet."""
        self._finish(fault)
        self.reader.cancel()

    async def closed(self) -> None:
        """Return when the source is closed; at once while somebody follows."""
        if self._is_over:
            await asyncio.wait({self.reader})

    def take(self, member: Member[T]) -> list[T]:
        """Return what a member lacks; see :meth:`Member.take`."""
        end = self.end
        lacks = end - member.place
        if not lacks:
            return []
        found = self._last[member.place - self._first :]
        member.place = end
        if lacks >= self._max_waiting:
            self._room.ring()
        else:
            member.held_up_s = 0.0
        if len(self._members) == 1:
            self._forget(end)
        return found

    async def _read(self) -> None:
        try:
            async with aclosing(self._events):
                async for event in self._events:
                    if self.end - self._slowest >= self._max_waiting:
                        await self._wait_for_room()
                        if self._is_over:
                            return  # the last member was let go
                    self._last.append(event)
                    if self._round is None:
                        self._announce()
        except Exception as error:  # noqa: BLE001 - each member gets it in its place
            self._finish(error)
        else:
            self._finish(None)

    def _announce(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._next_round_at:
            self._round = loop.call_soon(self._wake, None)
        else:
            self._round = loop.call_at(self._next_round_at, self._wake, None)

    def _wake(self, members: Iterator[Member[T]] | None) -> None:
        """Wake some members and leave the others to the next turn of the loop."""
        loop = asyncio.get_running_loop()
        if members is None:
            self._announced = self.end
            self._next_round_at = loop.time() + self._pace_s
            members = iter(tuple(self._members))
        woken = 0
        for member in islice(members, MAX_WOKEN):
            woken += 1
            if member.place < self._announced:
                member.wake()
        if woken == MAX_WOKEN:
            self._round = loop.call_soon(self._wake, members)
            return
        self._round = None
        if self.end > self._announced and not self._is_over:
            self._announce()

    async def _wait_for_room(self) -> None:
        """Return when every member has room; those that do not make it in time are not waited for."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while full := self._find_full():
            holds_up = any(member.place == self.end for member in self._members)
            slowest = max(full, key=lambda member: member.held_up_s)
            left = None if self._patience_s is None else self._patience_s - (loop.time() - began)
            is_patient = left is None or left > 0
            if holds_up:
                left_for_others = HOLD_UP_S - slowest.held_up_s
                left = left_for_others if left is None else min(left, left_for_others)
            if left is not None and left <= 0:
                self._let_go(slowest, held_up_others=is_patient)
                continue
            since = loop.time()
            try:
                async with asyncio.timeout(left):
                    await self._room.wait()
            except TimeoutError:
                pass
            if holds_up:
                for member in full:
                    member.held_up_s += loop.time() - since

    def _find_full(self) -> list[Member[T]]:
        self._slowest = min((member.place for member in self._members), default=self.end)
        self._forget(self._slowest)
        least = self.end - self._max_waiting
        return [] if self._slowest > least else [member for member in self._members if member.place <= least]

    def _let_go(self, member: Member[T], *, held_up_others: bool) -> None:
        del self._members[member]
        self._is_over = not self._members
        member.finish(FellBehind(held_up_others=held_up_others), self._last[member.place - self._first :])

    def _forget(self, taken: int) -> None:
        """Forget events before a number, but for those that are remembered for who joins."""
        many = min(taken, self.end - self._remembered) - self._first
        if many <= 0:
            return
        if self._cursor_of is not None:
            self._begins_after = self._cursor_of(self._last[many - 1])
        del self._last[:many]
        self._first += many

    def _place_after(self, cursor: str) -> int | None:
        """Return the number of the event after the one with this cursor, None where that is not remembered."""
        read = self._cursor_of
        if read is None:
            return None
        start = max(0, len(self._last) - self._remembered)
        for index in range(len(self._last) - 1, start - 1, -1):
            if read(self._last[index]) == cursor:
                return self._first + index + 1
        before = self._begins_after if start == 0 else read(self._last[start - 1])
        return self._first + start if before == cursor else None

    def _finish(self, fault: Exception | None) -> None:
        self._is_over = True
        if self._round is not None:
            self._round.cancel()
        for member in tuple(self._members):
            member.finish(fault)
