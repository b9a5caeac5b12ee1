# No postponed annotations: strawberry reads them.
"""Forward pages in the way of Relay connections."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import strawberry

from schema.graphql.errors import BadUserInput
from schema.records.values import Page, PageRequest

__all__ = ["MAX_FIRST", "Connection", "Edge", "PageInfo", "connection", "page_request"]

MAX_FIRST = 200
"""Rows of one page."""

T = TypeVar("T")
R = TypeVar("R")


@strawberry.federation.type(shareable=True, description="Where a page lies among all rows.")
class PageInfo:
    """Where a page lies among all rows."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="A row with its place.")
class Edge(Generic[T]):
    """A row with its place."""

    cursor: str
    node: T


@strawberry.type(description="A page of rows.")
class Connection(Generic[T]):
    """A page of rows; ``total_count`` is null when counting would cost more than the page."""

    edges: list[Edge[T]]
    nodes: list[T]
    page_info: PageInfo
    total_count: int | None


def page_request(first: int | None, after: str | None, default: int = 25) -> PageRequest:
    """Return the wanted page.

    Raises:
        BadUserInput: ``first`` is below 1 or above ``MAX_FIRST``.
    """
    wanted = default if first is None else first
    if not 1 <= wanted <= MAX_FIRST:
        raise BadUserInput(f"first is {wanted}: ask for 1 to {MAX_FIRST} rows and go on with after")
    return PageRequest(wanted, after)


def connection(page: Page[R], show: Callable[[R], T], after: str | None = None) -> Connection[T]:
    """Return a page as a connection; ``after`` is the cursor that it was asked with."""
    return connection_of([show(row) for row in page.items], page.cursors, page.has_next, after, page.total)


def connection_of(
    nodes: Sequence[T], cursors: Sequence[str], has_next: bool, after: str | None, total: int | None
) -> Connection[T]:
    """Return rows with their cursors as a connection."""
    return Connection(
        edges=[Edge(cursor=cursor, node=node) for cursor, node in zip(cursors, nodes, strict=True)],
        nodes=list(nodes),
        page_info=PageInfo(
            has_next_page=has_next,
            has_previous_page=after is not None,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        ),
        total_count=total,
    )
