"""Write what a check found, for people and for programs."""

from __future__ import annotations

from typing import Any

from gateway.check.judge import Check, OperationCheck, PlanSize

__all__ = ["to_json", "to_text"]


def to_json(check: Check) -> dict[str, Any]:
    """Return the check as JSON values."""
    return {
        "ok": check.ok,
        "breaking": [
            {"coordinate": change.coordinate, "change": change.what, "used": change not in check.unused}
            for change in check.changes
        ],
        "operations": [
            {
                "operation": item.name,
                "status": _status(item),
                "problems": [item.old_fault] if item.old_fault is not None else list(item.problems),
                "plan": {"old": _size(item.old), "new": _size(item.new)},
            }
            for item in check.operations
        ],
    }


def to_text(check: Check) -> str:
    """Return the check as lines: what breaks, what changes in plans, and a last line that sums up."""
    lines = [f"breaking  {change}{_note(check, change in check.unused)}" for change in check.changes]
    for item in check.operations:
        if item.old_fault is not None:
            lines.append(f"unknown   {item.name}: the published schema refuses it: {item.old_fault}")
        lines += [f"broken    {item.name}: {problem}" for problem in item.problems]
        if item.old is not None and item.new is not None and item.old != item.new:
            lines.append(f"plan      {item.name}: {_words(item.old)} -> {_words(item.new)}")
    broken = sum(bool(item.problems) for item in check.operations)
    judged = sum(item.old_fault is None for item in check.operations)
    lines.append(f"{len(check.changes)} breaking changes, {broken} of {judged} operations broken")
    return "\n".join(lines)


def _note(check: Check, is_unused: bool) -> str:
    return " (used by no operation)" if check.operations and is_unused else ""


def _status(item: OperationCheck) -> str:
    if item.old_fault is not None:
        return "unknown"
    return "broken" if item.problems else "ok"


def _size(size: PlanSize | None) -> dict[str, int] | None:
    return None if size is None else {"fetches": size.fetches, "depth": size.depth}


def _words(size: PlanSize) -> str:
    return f"{size.fetches} fetches, {size.depth} deep"
