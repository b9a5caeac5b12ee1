"""Dead letters handled again: raw messages through the inbox, messages of a process by its step.

They are handled in the order in which they first failed, however they are asked for. A message keeps its id and the
time at which it came. What it leads to is marked as replayed, and customers are not told again of what is past. A
letter is gone when its message was handled; one that fails again stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from processes.authority import require_operator
from processes.decision_api import OpsAnswer, Replay
from processes.order_checks import failed
from processes.task_desk import CarriesOn
from processes.workplaces import may_handle, noted_in
from schema.enums import SourceSystem
from schema.events.envelope import Event, EventFilter
from schema.records.identity import Principal
from schema.records.operations import DeadLetter
from schema.records.problems import Problem
from schema.records.values import PageRequest

__all__ = ["MAX_REPLAYED", "Reopens", "replay_letters"]

MAX_REPLAYED = 1_000
"""Messages of one replay; more are replayed in parts."""

PAGE = 200
"""Dead letters that are read at once."""

MAX_PAGES = 500
"""Pages that are looked through for messages that fit."""


class Reopens(Protocol):
    """What a replay wants of the inbox."""

    async def reopen(self, letter: DeadLetter) -> None:
        """Have the message of a dead letter handled again."""
        ...


async def replay_letters(engine: CarriesOn, inbox: Reopens, asked: Replay, key: str, principal: Principal) -> OpsAnswer:
    """Have dead letters handled again, and tell of each.

    Cancel/retry: safe to repeat with the same key; what was replayed under it is not replayed again.

    Raises:
        NotEntitled: the principal does not run the platform.
        ConnectorError: the platform's own database does not answer.
    """
    require_operator(principal, "messagesReplay")
    use = engine.dependencies
    told = await use.events.read(EventFilter(partition_key=_partition(key)), None, MAX_REPLAYED)
    done = {stored.event.subject for stored in told}
    letters, problems = await _chosen(engine, asked, done, principal)
    if problems:
        return OpsAnswer(problems)
    if asked.dry_run:
        return OpsAnswer(accepted=len(letters))
    process_id = None
    for letter in letters:
        if letter.id in done:
            continue
        process_id = _process_of(letter)
        if process_id is None:
            await inbox.reopen(letter)
        else:
            await engine.retry(process_id, str(letter.payload["step"]))
        done.add(letter.id)
        await use.events.append([_replayed(engine, letter, key, principal)])
    return OpsAnswer(accepted=len(done), process_id=process_id if len(done) == 1 else None)


async def _chosen(
    engine: CarriesOn, asked: Replay, done: set[str], principal: Principal
) -> tuple[Sequence[DeadLetter], tuple[Problem, ...]]:
    """Return the letters that are asked for, the oldest first, or why that cannot be."""
    use = engine.dependencies
    if asked.letter_ids is not None:
        kept, places = await use.dead_letters.letters(asked.letter_ids), noted_in(use.orders)
        found = {name: letter for name, letter in kept.items() if await may_handle(principal, letter, places)}
        missing = [
            failed("UNKNOWN_DEAD_LETTER", f"dead letter {entry} does not exist", "deadLetterIds", str(place))
            for place, entry in enumerate(asked.letter_ids)
            if entry not in found and entry not in done
        ]
        if missing:
            return (), tuple(missing)
        letters = [letter for letter in found.values() if _fits(letter, asked)]
    elif asked.correlation_id or asked.start or asked.end or asked.types:
        letters = await _search(engine, asked, principal)
    else:
        said = "say which: deadLetterIds, correlationId, from, to or types"
        return (), (failed("NOTHING_CHOSEN", said, "deadLetterIds"),)
    if len(letters) > MAX_REPLAYED:
        said = f"more than {MAX_REPLAYED} messages fit: narrow the range, and replay the rest afterwards"
        return (), (failed("TOO_MANY", said, "to"),)
    return sorted(letters, key=lambda letter: (letter.first_seen, letter.id)), ()


async def _search(engine: CarriesOn, asked: Replay, principal: Principal) -> list[DeadLetter]:
    """Return what fits, at most one more than may be replayed."""
    letters: list[DeadLetter] = []
    after: str | None = None
    for _ in range(MAX_PAGES):
        page = await engine.dependencies.dead_letters.search(None, PageRequest(PAGE, after), principal.workplaces)
        letters += [letter for letter in page.items if _fits(letter, asked)]
        if not page.has_next or len(letters) > MAX_REPLAYED:
            break
        after = page.cursors[-1]
    return letters[: MAX_REPLAYED + 1]


def _fits(letter: DeadLetter, asked: Replay) -> bool:
    return (
        (asked.types is None or letter.type in asked.types)
        and (asked.start is None or letter.first_seen >= asked.start)
        and (asked.end is None or letter.first_seen < asked.end)
        and (asked.correlation_id is None or asked.correlation_id in _stories(letter))
    )


def _stories(letter: DeadLetter) -> set[str]:
    """Return the ids by which a letter says what it is about."""
    payload = letter.payload if isinstance(letter.payload, dict) else {}
    nested = payload.get("data")
    facts = {**(nested if isinstance(nested, dict) else {}), **payload}
    return {str(facts[name]) for name in ("businessKey", "correlationId", "orderId") if facts.get(name)}


def _process_of(letter: DeadLetter) -> str | None:
    """Return the process whose step could not deliver the letter, None for a message that came in."""
    if letter.source is not SourceSystem.PLATFORM or not isinstance(letter.payload, dict):
        return None
    return letter.payload.get("processId") if letter.payload.get("step") else None


def _replayed(engine: CarriesOn, letter: DeadLetter, key: str, principal: Principal) -> Event:
    stories = sorted(_stories(letter))
    return Event(
        id=f"{letter.id}:replayed:{key}",
        source="/dist/messages",
        type="message.replayed",
        subject=letter.id,
        partition_key=_partition(key),
        correlation_id=stories[0] if stories else letter.id,
        system=SourceSystem.PLATFORM,
        occurred_at=engine.dependencies.clock.now(),
        data={
            "letterId": letter.id,
            "source": letter.source.value,
            "type": letter.type,
            "reason": letter.reason,
            "attempts": letter.attempts,
            "firstSeen": letter.first_seen.isoformat(),
        },
        actor=principal.subject,
        manual=principal.subject.startswith("user:"),
    )


def _partition(key: str) -> str:
    return f"replay:{key}"
