"""Processes drawn as state diagrams in Mermaid, from the steps that the runner carries out.

Drawn is what ``processes/runner.py`` does with every process: steps in order, gates where persons are waited for, and
behind a refusal whatever takes back what was begun, in reverse order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from processes.chronicle import UNDO
from processes.routines import Routine
from processes.steps import Step
from schema.enums import ProcessState

__all__ = ["draw", "draw_routines"]

_DONE, _TAKEN_BACK, _ENDED = ProcessState.COMPLETED, ProcessState.FAILED, ProcessState.CANCELLED


def draw(steps: Sequence[Step[Any]]) -> str:
    """Return the diagram of a process."""
    return "\n".join(("stateDiagram-v2", *(f"    {line}" for line in _lines(steps)))) + "\n"


def draw_routines(routines: Sequence[Routine], subject: str) -> str:
    """Return the diagram of what keeps one thing in step, again and again."""
    lines = [f'state "{subject}" as subject', "[*] --> subject"]
    for routine in routines:
        asked = "news" if routine.every_s is None else f"every {routine.every_s:g} s"
        lines += [
            f'state "{routine.name} ({routine.system.value})" as do_{routine.name}',
            f"subject --> do_{routine.name} : {asked}",
            f"do_{routine.name} --> subject",
        ]
    return "\n".join(("stateDiagram-v2", *(f"    {line}" for line in lines))) + "\n"


def _lines(steps: Sequence[Step[Any]]) -> Iterator[str]:
    for step in steps:
        yield f'state "{step.name} ({step.system.value})" as {_do(step)}'
        if step.waits is not None:
            yield f'state "{ProcessState.WAITING_HUMAN.value} at {step.name}" as {_gate(step)}'
    undone = [step for step in steps if step.undo is not None]
    for step in undone:
        yield f'state "{UNDO}{step.name} ({step.system.value})" as {_undo(step)}'
    yield from _forward(steps)
    yield from _refusals(steps)
    yield from _backward(undone)
    for end in (_DONE, _TAKEN_BACK, *([_ENDED] if any(step.waits for step in steps) else [])):
        yield f"{end.value} --> [*]"


def _forward(steps: Sequence[Step[Any]]) -> Iterator[str]:
    """Yield the way to the end, and the gates beside it."""
    yield f"[*] --> {_do(steps[0])}"
    for place, step in enumerate(steps):
        following = _do(steps[place + 1]) if place + 1 < len(steps) else _DONE.value
        answered = " : the caller has its answer" if step.decides and place + 1 < len(steps) else ""
        yield f"{_do(step)} --> {following}{answered}"
        if step.waits is not None:
            yield f"{_do(step)} --> {_gate(step)} : something is held"
            yield f"{_gate(step)} --> {_do(step)} : decided, what held is done anew"
            yield f"{_gate(step)} --> {_behind_refusal(steps, place)} : decided against"
            yield f"{_gate(step)} --> {_ENDED.value} : ended by others"


def _refusals(steps: Sequence[Step[Any]]) -> Iterator[str]:
    """Yield where a refusal leads, from every step that may be refused or cancelled by a person."""
    for place, step in enumerate(steps):
        yield f"{_do(step)} --> {_behind_refusal(steps, place)} : refused"


def _backward(undone: Sequence[Step[Any]]) -> Iterator[str]:
    """Yield the way back: the last that was begun is taken back first."""
    for place, step in enumerate(undone):
        following = _undo(undone[place - 1]) if place else _TAKEN_BACK.value
        yield f"{_undo(step)} --> {following}"


def _behind_refusal(steps: Sequence[Step[Any]], place: int) -> str:
    """Return the first state behind a refusal: what takes back the nearest step that can be."""
    begun = [step for step in steps[: place + 1] if step.undo is not None]
    return _undo(begun[-1]) if begun else _TAKEN_BACK.value


def _do(step: Step[Any]) -> str:
    """Return the id of a state; a bare name such as "note" may be a word of the diagram's language."""
    return f"do_{step.name}"


def _gate(step: Step[Any]) -> str:
    return f"waits_at_{step.name}"


def _undo(step: Step[Any]) -> str:
    return f"undo_{step.name}"
