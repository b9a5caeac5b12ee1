"""Pages of what is read whole: the lists that an account has, and the opaque cursors of their rows.

A page goes on after the place of its last row, not after a count, so rows that come or go meanwhile shift nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from schema.graphql.errors import BadUserInput
from schema.records.values import Page, PageRequest

__all__ = ["Place", "page_of"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a row stands in its list: what the list is ordered by, then the id."""

    by: str
    id: str

    def cursor(self) -> str:
        """Return the place as opaque text."""
        return base64.urlsafe_b64encode(json.dumps([self.by, self.id]).encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, cursor: str) -> Place:
        """Return the place that a cursor stands for.

        Raises:
            BadUserInput: the text is not a cursor.
        """
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            by, identifier = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, TypeError, binascii.Error) as error:
            raise _bad(cursor) from error
        if not isinstance(by, str) or not isinstance(identifier, str):
            raise _bad(cursor)
        return cls(by, identifier)


def page_of(
    rows: Sequence[R], place: Callable[[R], Place], wanted: PageRequest, *, is_descending: bool = False
) -> Page[R]:
    """Return one page of all the rows there are, in the order of their places.

    Raises:
        BadUserInput: ``wanted.after`` is not a cursor.
    """
    after = None if wanted.after is None else Place.parse(wanted.after)
    in_order = sorted(rows, key=place, reverse=is_descending)
    following = [row for row in in_order if after is None or _is_behind(place(row), after, is_descending)]
    shown = tuple(following[: wanted.first])
    cursors = tuple(place(row).cursor() for row in shown)
    return Page(shown, cursors, has_next=len(following) > wanted.first, total=len(rows))


def _is_behind(place: Place, after: Place, is_descending: bool) -> bool:
    return place < after if is_descending else place > after


def _bad(cursor: str) -> BadUserInput:
    return BadUserInput(f"after: cursor {cursor!r} is not one of this list: use endCursor of a page that it gave")
