# No postponed annotations: strawberry reads them.
"""Pages of documents as connections, and page arguments as queries."""

from collections.abc import Callable
from typing import TypeVar

from schema.enums import InvoiceStatus
from schema.graphql.errors import BadUserInput
from schema.graphql.paging import Connection, Edge, PageInfo, page_request
from schema.orders.queries import BadCursor, DocumentQuery, Place, Slice

__all__ = ["document_query", "place_after", "slice_connection"]

R = TypeVar("R")
T = TypeVar("T")


def place_after(after: str | None) -> Place | None:
    """Return where a page begins.

    Raises:
        BadUserInput: the cursor is none.
    """
    try:
        return None if after is None else Place.parse(after)
    except BadCursor as error:
        raise BadUserInput(str(error)) from error


def document_query(first: int | None, after: str | None, status: InvoiceStatus | None = None) -> DocumentQuery:
    """Return which page of an account's documents is wanted.

    Raises:
        BadUserInput: ``first`` is out of bounds or the cursor is none.
    """
    return DocumentQuery(page_request(first, after).first, place_after(after), status)


def slice_connection(found: Slice[R], show: Callable[[R], T], after: str | None) -> Connection[T]:
    """Return a page as a connection; its end cursor leads on even when the page is empty."""
    nodes = [show(row) for row in found.items]
    return Connection(
        edges=[Edge(cursor=cursor, node=node) for cursor, node in zip(found.cursors, nodes, strict=True)],
        nodes=nodes,
        page_info=PageInfo(
            has_next_page=found.has_next,
            has_previous_page=after is not None,
            start_cursor=found.cursors[0] if found.cursors else None,
            end_cursor=found.end,
        ),
        total_count=found.total,
    )
