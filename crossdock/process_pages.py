"""The pages about processes in ``docs/processes``: a diagram and a table each, generated from the steps themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from processes import fallbacks, inventory_sync
from processes.diagram import draw, draw_routines
from processes.fallbacks import FALLBACKS, Behaviour, Operation, fallback
from processes.inventory_sync import INVENTORY_SYNC
from processes.registry import PROCESSES, Process
from processes.steps import Outage, Step
from schema.enums import SourceSystem

__all__ = ["FALLBACKS_PAGE", "process_pages"]

INDEX = "README.md"

FALLBACKS_PAGE = "when-a-system-is-out.md"

_SYNC_TITLE = "P8 Inventory sync"
_FALLBACKS_TITLE = "When a system is out"

_BEHAVIOURS: Mapping[Behaviour, str] = {
    Behaviour.REMEMBERED: "the last answer, marked as stale",
    Behaviour.WITHOUT: "answered without it, marked as stale",
    Behaviour.BUFFERED: "accepted, and waits for it",
    Behaviour.READ_MODEL: "from our own records",
    Behaviour.NULL: "its fields are null, with an error that names it",
}
_NOT_ASKED = "-"

_OUTAGES: Mapping[Outage, str] = {
    Outage.WAIT: "the process waits",
    Outage.SKIP: "goes on without",
    Outage.DEAD_LETTER: "kept as a dead letter, goes on",
    Outage.REFUSE: "refused",
}
_LOOKED_UP = ", when a look shows that it was not done"

_HEAD = """# Processes

Every process of the distribution graph as it runs. `crossdock processes` writes these pages from the steps that the
runner carries out; a test compares them with the code.

{links}

What is done meanwhile [when a system is out]({fallbacks}), for every operation, is a table of its own.

How to read them, for all processes alike:

- A step is written into the journal when it is done and is not done again; the step under way when a program dies is
  done again with the same key and looks what it did before.
- A system that does not answer is tried a few times, then the process shows `WAITING_SYSTEM` and tries on in growing
  pauses; after a day a person is asked (`RETRY`, `CANCEL`). What the column "when it stays away" says is the exception.
- What an account has waiting for a system is done in the order in which it was accepted, once the system is back, by
  whichever program carries it: what comes later waits behind it, other accounts do not. One that fails five times while
  the system does what others want, or has waited for a day, holds nobody up any more. Until a program has learned of
  a line that runs of another one stand in, which takes a second at most, its own may overtake.
- A refusal, or a person who cancels, takes back what was begun, the last first (`COMPENSATING`), and ends in `FAILED`.
  What takes a step back and is refused itself parks the process in `WAITING_HUMAN`, with a task (`RETRY`,
  `DONE_BY_HAND`).
- At a gate the process waits for what persons decide, however long that takes, and needs no program for it.
"""


def process_pages() -> Mapping[str, str]:
    """Return what ``docs/processes`` must hold, text by name of the file."""
    pages = {_file(process.title): _page(process) for process in PROCESSES}
    pages[_file(_SYNC_TITLE)] = _sync_page()
    titles = sorted([*(process.title for process in PROCESSES), _SYNC_TITLE])
    links = "\n".join(f"- [{title}]({_file(title)})" for title in titles)
    pages[FALLBACKS_PAGE] = _fallbacks_page()
    return {INDEX: _HEAD.format(links=links, fallbacks=FALLBACKS_PAGE), **pages}


def _page(process: Process) -> str:
    return "\n".join(
        [
            f"# {process.title}",
            "",
            _about(process.about),
            "",
            f"Kind of its runs: `{process.name}`.",
            "",
            "```mermaid",
            draw(process.steps).rstrip("\n"),
            "```",
            "",
            *_table(
                ("Step", "System", "What it does", "What takes it back", "Key", "At most", "When it stays away"),
                (_row(step) for step in process.steps),
            ),
            *_waits(process.steps),
        ]
    )


def _sync_page() -> str:
    rows = (
        (f"`{routine.name}`", routine.system.value, _says(routine.do), _pause(routine.every_s))
        for routine in INVENTORY_SYNC
    )
    return "\n".join(
        [
            f"# {_SYNC_TITLE}",
            "",
            _about(inventory_sync.__doc__),
            "",
            "```mermaid",
            draw_routines(INVENTORY_SYNC, "the copy of stock").rstrip("\n"),
            "```",
            "",
            *_table(("Routine", "System", "What it does", "When"), rows),
        ]
    )


def _fallbacks_page() -> str:
    systems = sorted({system for system, _ in FALLBACKS})
    rows = ((f"`{system.value}`", *(_cell(system, operation) for operation in Operation)) for system in systems)
    heads = ("Out", *(operation.value.capitalize() for operation in Operation))
    return "\n".join(
        [
            f"# {_FALLBACKS_TITLE}",
            "",
            _about(fallbacks.__doc__),
            "",
            *_table(heads, rows),
        ]
    )


def _cell(system: SourceSystem, operation: Operation) -> str:
    """Return what is done instead, with its bound where it has one."""
    found = fallback(system, operation)
    if found is None:
        return _NOT_ASKED
    bound = "" if found.within is None else f" (at most {_span(found.within)})"
    return _BEHAVIOURS[found.behaviour] + bound


def _row(step: Step[Any]) -> tuple[str, ...]:
    return (
        f"`{step.name}`",
        step.system.value,
        _says(step.do),
        "nothing" if step.undo is None else _says(step.undo),
        f"`{step.key}`",
        f"{step.timeout_s:g} s",
        _OUTAGES[step.outage] + (_LOOKED_UP if step.look_up is not None else ""),
    )


def _waits(steps: Sequence[Step[Any]]) -> Iterator[str]:
    """Yield what is done while persons are waited for."""
    gates = [(step.name, step.waits) for step in steps if step.waits is not None]
    if not gates:
        return
    yield "## Waiting for persons"
    yield ""
    rows = [
        (f"`{name}`", f"`{alarm.name}`", _span(alarm.after), _says(alarm.ring))
        for name, waits in gates
        for alarm in waits.alarms
    ]
    yield from _table(("Gate", "Alarm", "After", "What it does"), rows)


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _about(text: str | None) -> str:
    """Return a docstring with the number of the process left out, which the title has."""
    plain = re.sub(r"^P\d, ", "", inspect.cleandoc(text or ""))
    return plain[:1].upper() + plain[1:]


def _says(work: Callable[..., Any]) -> str:
    """Return the first line of a docstring.

    Raises:
        ValueError: there is none; whoever reads the pages would learn nothing of the step.
    """
    text = inspect.getdoc(work)
    if not text:
        raise ValueError(f"{work.__qualname__} does not say what it does")
    return text.splitlines()[0].rstrip(".")


def _pause(every_s: float | None) -> str:
    return "when news comes" if every_s is None else f"every {_span(timedelta(seconds=every_s))}"


def _span(span: timedelta) -> str:
    for unit, name in ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min")):
        if span >= unit and span % unit == timedelta():
            return f"{span // unit} {name}"
    return f"{span.total_seconds():g} s"


def _file(title: str) -> str:
    return f"{title.lower().replace(' ', '-')}.md"
