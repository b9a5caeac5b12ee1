"""Write what a check found, for people and for programs."""

from __future__ import annotations

from typing import Any

from gateway.check.effort import Effort
from gateway.check.judge import Check, OperationCheck

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
                "plan": {"old": _effort(item.old), "new": _effort(item.new)},
                "nullability": [{"path": it.path, "old": it.old, "new": it.new} for it in item.nulls],
            }
            for item in check.operations
        ],
    }


def to_text(check: Check) -> str:
    """Return the check as lines: what breaks, what changes in plans and nulls, and a last line that sums up."""
    lines = [f"breaking  {change}{_note(check, change in check.unused)}" for change in check.changes]
    for item in check.operations:
        if item.old_fault is not None:
            lines.append(f"unknown   {item.name}: the published schema refuses it: {item.old_fault}")
        lines += [f"broken    {item.name}: {problem}" for problem in item.problems]
        if item.old is not None and item.new is not None and item.old != item.new:
            lines.append(f"plan      {item.name}: {_words(item.old)} -> {_words(item.new)}")
        lines += [f"null      {item.name}: {it.path}: {it.old} -> {it.new}" for it in item.nulls]
    broken = sum(bool(item.problems) for item in check.operations)
    judged = sum(item.old_fault is None for item in check.operations)
    lines.append(
        f"{_counted(len(check.changes), 'breaking change')}, {broken} of {_counted(judged, 'operation')} broken"
    )
    return "\n".join(lines)


def _note(check: Check, is_unused: bool) -> str:
    return " (used by no operation)" if check.operations and is_unused else ""


def _status(item: OperationCheck) -> str:
    if item.old_fault is not None:
        return "unknown"
    return "broken" if item.problems else "ok"


def _effort(effort: Effort | None) -> dict[str, int] | None:
    return None if effort is None else {"fetches": effort.fetches, "depth": effort.depth, "cost": effort.cost}


def _words(effort: Effort) -> str:
    return f"{effort.fetches} fetches, {effort.depth} deep, cost {effort.cost}"


def _counted(many: int, what: str) -> str:
    return f"{many} {what}" if many == 1 else f"{many} {what}s"
