"""Questions to an OData service: filters whose values cannot break out, and addresses made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

__all__ = ["MAX_KEY_CHARS", "Query", "all_of", "any_of", "equals", "instant", "literal", "within"]

MAX_KEY_CHARS = 250
"""Longest key of the ERP's tables; nothing is found under a longer one, so it is not asked for."""

MAX_LIST_CHARS = 6_000
"""Characters of one list of values; longer lists become several questions."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question to an entity set; texts are OData expressions, empty ones are left out."""

    entity_set: str
    select: str = ""
    where: str = ""
    expand: str = ""
    order: str = ""
    top: int | None = None

    def address(self) -> str:
        """Return the entity set with its query options, ready for a URL."""
        options = {
            "$filter": self.where,
            "$select": self.select,
            "$expand": self.expand,
            "$orderby": self.order,
            "$top": "" if self.top is None else str(self.top),
        }
        given = "&".join(f"{name}={quote(text, safe='$,():')}" for name, text in options.items() if text)
        return f"{self.entity_set}?{given}" if given else self.entity_set


def literal(value: str) -> str:
    """Return a text as OData writes it: whatever it holds, it ends where it should."""
    # Half of a surrogate pair cannot be sent; what stands for it is in no key, so nothing is found.
    sendable = value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "'" + sendable.replace("'", "''") + "'"


def equals(field: str, value: str) -> str:
    """Return the condition that a field has this text."""
    return f"{field} eq {literal(value)}"


def within(field: str, values: Iterable[str]) -> list[str]:
    """Return conditions that together cover all values, each within the length of a list; none without values."""
    conditions: list[str] = []
    listed: list[str] = []
    chars = 0
    for value in dict.fromkeys(values):
        if len(value) > MAX_KEY_CHARS:
            continue
        text = literal(value)
        if listed and chars + len(text) > MAX_LIST_CHARS:
            conditions.append(_in(field, listed))
            listed, chars = [], 0
        listed.append(text)
        chars += len(text) + 1
    return [*conditions, _in(field, listed)] if listed else conditions


def all_of(conditions: Sequence[str]) -> str:
    """Return the condition that all of these hold; empty ones ask for nothing."""
    return " and ".join(condition for condition in conditions if condition)


def any_of(conditions: Sequence[str]) -> str:
    """Return the condition that one of these holds."""
    given = [condition for condition in conditions if condition]
    return given[0] if len(given) == 1 else "(" + " or ".join(given) + ")"


def instant(moment: datetime) -> str:
    """Return a time in the ERP's milliseconds, the next one up: bounds keep what they let through."""
    finer = moment.microsecond % 1_000
    up = moment + timedelta(microseconds=1_000 - finer) if finer else moment
    return up.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _in(field: str, literals: Sequence[str]) -> str:
    return f"{field} eq {literals[0]}" if len(literals) == 1 else f"{field} in ({','.join(literals)})"
