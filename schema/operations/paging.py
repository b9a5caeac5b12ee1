# No postponed annotations: strawberry reads them.
"""Pages of histories as connections, and their opaque cursors."""

import base64
import binascii
import datetime as dt
import json

from schema.events.envelope import EventPlace
from schema.graphql.errors import BadUserInput
from schema.graphql.paging import Connection, Edge, PageInfo
from schema.operations.lineage import LineageEvent
from schema.operations.views import HistoryPage

__all__ = ["history_connection", "place_after", "place_cursor"]

_MOST = 2**63 - 1
"""Largest count that the log keeps; a cursor with more was not given by us."""


def place_cursor(place: EventPlace) -> str:
    """Return a place as opaque text."""
    plain = json.dumps([place.at.isoformat(), place.sequence, place.position])
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def place_after(after: str | None) -> EventPlace | None:
    """Return where a page begins.

    Raises:
        BadUserInput: the text is not a cursor of a history.
    """
    if after is None:
        return None
    try:
        padded = after + "=" * (-len(after) % 4)
        at, sequence, position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        moment = dt.datetime.fromisoformat(at)
        counts = (sequence, position)
        if moment.tzinfo is None or not all(type(count) is int and 0 <= count <= _MOST for count in counts):
            raise _unknown(after)
    except (ValueError, TypeError, binascii.Error) as error:
        raise _unknown(after) from error
    return EventPlace(moment, sequence, position)


def history_connection(page: HistoryPage, after: str | None) -> Connection[LineageEvent]:
    """Return a page of a history as a connection; its end cursor leads on even when the page is empty."""
    nodes = [LineageEvent.of(entry) for entry in page.entries]
    cursors = [place_cursor(entry.place) for entry in page.entries]
    return Connection(
        edges=[Edge(cursor=cursor, node=node) for cursor, node in zip(cursors, nodes, strict=True)],
        nodes=nodes,
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=after is not None,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=None if page.end is None else place_cursor(page.end),
        ),
        total_count=page.total,
    )


def _unknown(cursor: str) -> BadUserInput:
    return BadUserInput(f"cursor {cursor!r} is not one of this list: use endCursor of a page that it gave")
