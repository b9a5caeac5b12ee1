"""What a process is made of: steps in order, each with its compensation beside it.

A step answers with an :class:`Outcome`. What it cannot help (a system that does not answer) it raises; the runner
retries, waits and looks again. What it must not decide (credit, price) it holds for a person. What cannot become an
order it refuses, and the steps before it are undone in reverse order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from schema.enums import SourceSystem
from schema.records.problems import Problem

__all__ = [
    "DONE",
    "Alarm",
    "NotItsTurn",
    "Outage",
    "Outcome",
    "RetryPolicy",
    "Step",
    "StepTimeout",
    "Undecided",
    "Verdict",
    "Waits",
]

C = TypeVar("C")


class Verdict(StrEnum):
    """How a step ended."""

    DONE = "DONE"
    SKIPPED = "SKIPPED"
    HELD = "HELD"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended, and the business problems it found. ``note`` says why a step was skipped."""

    verdict: Verdict
    problems: tuple[Problem, ...] = ()
    note: str | None = None


DONE = Outcome(Verdict.DONE)


class Outage(StrEnum):
    """What a step does when its system stays away beyond the quick retries."""

    WAIT = "WAIT"
    """The process waits for the system."""

    SKIP = "SKIP"
    """The process goes on without the step; a later one makes up for it."""

    DEAD_LETTER = "DEAD_LETTER"
    """The message is kept as a dead letter, the process goes on."""

    REFUSE = "REFUSE"
    """The process is refused: without the system there is no answer worth having."""


class StepTimeout(Exception):
    """A step took longer than it may; what it asked for may have been carried out."""

    def __init__(self, step: str, seconds: float) -> None:
        super().__init__(f"step {step} got no answer within {seconds:g} s; it may have been carried out")


class Undecided(Exception):
    """A system has taken what it was asked for, and has not decided about it yet: it is asked again later."""

    def __init__(self, system: SourceSystem, message: str) -> None:
        super().__init__(message)
        self.system = system


class NotItsTurn(Exception):
    """A step waits for a system behind others of the same account."""

    def __init__(self, step: str, system: SourceSystem) -> None:
        super().__init__(f"step {step} waits for {system} behind what the account has waiting there")
        self.system = system


@dataclass(frozen=True, slots=True)
class Alarm(Generic[C]):
    """What is done when persons have not decided ``after`` a process began to wait for them; safe to repeat."""

    name: str
    after: timedelta
    ring: Callable[[C], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Waits(Generic[C]):
    """How a process waits behind a gate for what persons decide. Decisions stand in the ledgers; a message only wakes.

    Attributes:
        look: what was decided by now. HELD waits on; DONE does the steps that held anew, which then find what they may
            do; REFUSED takes the process back; SKIPPED ends it, because somebody else has ended what it is about.
        alarms: what is done meanwhile, the earliest first; the last one must bring ``look`` to an end.
    """

    look: Callable[[C], Awaitable[Outcome]]
    alarms: tuple[Alarm[C], ...]


@dataclass(frozen=True, slots=True)
class Step(Generic[C]):
    """One step of a process.

    Attributes:
        name: stable name in journal and process log.
        system: whom it talks to.
        key: idempotency key that the target sees; ``{id}`` is the business key.
        do: carries it out; safe to repeat with the same key.
        undo: takes it back; None when there is nothing to take back or it cannot be (the table of the process says).
        timeout_s: how long the first attempt may take; later ones may take longer.
        outage: what happens when the system stays away.
        waits: makes the step a gate: when it or one before it has held, the process waits so for persons.
        decides: the starter has its answer after this step.
        look_up: for a step that is gone on without (SKIP): looks whether an attempt was carried out although its answer
            was lost, and sees to it that none is from then on. DONE means that one was, SKIPPED that none was.
        joins: recorded in the journal together with the step before it. A run that dies in between does both anew, so
            it is for steps behind one that is cheap to repeat, and that asks another system by its key when it changes
            something there.
    """

    name: str
    system: SourceSystem
    key: str
    do: Callable[[C], Awaitable[Outcome]]
    undo: Callable[[C], Awaitable[None]] | None = None
    timeout_s: float = 5.0
    outage: Outage = Outage.WAIT
    decides: bool = False
    waits: Waits[C] | None = None
    look_up: Callable[[C], Awaitable[Outcome]] | None = None
    joins: bool = False


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a system that does not answer is tried.

    Attributes:
        quick: attempts before the process counts as waiting.
        base_s: pause before the second attempt; doubles with full jitter.
        wait_s: pause between attempts while waiting; doubles up to ``wait_max_s``.
        slow_after_s: an attempt that takes longer shows the process as waiting already.
        task_after_s: a person is asked after this long.
        max_attempts: attempts of one step before the process parks for a person.
        max_timeout_s: longest attempt.
    """

    quick: int = 4
    base_s: float = 0.5
    wait_s: float = 2.0
    wait_max_s: float = 60.0
    slow_after_s: float = 1.5
    task_after_s: float = 24 * 3600.0
    max_attempts: int = 3_000
    max_timeout_s: float = 60.0
