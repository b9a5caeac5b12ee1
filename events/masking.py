"""Tax numbers in what is kept for good: recognisable to who knows them, of no use to who does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["without_tax_numbers"]

SHOWN = 3
"""Last characters of a number that are shown."""

_REGISTRATIONS = ("tax_registrations", "taxRegistrations")
_PROBLEM = "TaxInvalid"


def without_tax_numbers(document: Any) -> Any:
    """Return a document in which every tax number that it names is masked, wherever it says it."""
    numbers = sorted(set(_numbers(document)), key=len, reverse=True)
    return _masked(document, numbers) if numbers else document


def _numbers(value: Any) -> Iterator[str]:
    """Yield the numbers of tax registrations, and those that a check complains about."""
    match value:
        case Mapping():
            for name in _REGISTRATIONS:
                yield from _numbers_of(value.get(name))
            if value.get("type") == _PROBLEM:
                yield from _numbers_of([value])
            for entry in value.values():
                yield from _numbers(entry)
        case list() | tuple():
            for entry in value:
                yield from _numbers(entry)


def _numbers_of(registrations: Any) -> Iterator[str]:
    if isinstance(registrations, list | tuple):
        for entry in registrations:
            number = entry.get("number") if isinstance(entry, Mapping) else None
            if isinstance(number, str) and number:
                yield number


def _masked(value: Any, numbers: list[str]) -> Any:
    match value:
        case str():
            for number in numbers:
                value = value.replace(number, f"***{number[-SHOWN:]}" if len(number) > 2 * SHOWN else "***")
            return value
        case Mapping():
            return {name: _masked(entry, numbers) for name, entry in value.items()}
        case list() | tuple():
            return [_masked(entry, numbers) for entry in value]
        case _:
            return value
