"""Answers queries page by page: its start decides what a query finds, pages show records as they are when read."""

from __future__ import annotations

import re
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.crm.ids import make_id
from sandbox.crm.objects import SObject
from sandbox.crm.refusal import CrmRefusal
from sandbox.crm.soql import SoqlError, parse_soql
from sandbox.crm.soql_sql import Statement, compile_soql
from sandbox.crm.values import show
from sandbox.kit.rest import marks
from sandbox.kit.store import Store

__all__ = ["MAX_BATCH", "MIN_BATCH", "Queries", "attributes"]

MIN_BATCH = 200
MAX_BATCH = 2_000
"""Records of a page that clients may ask for, as in the CRM."""

MAX_CURSORS = 200
"""Queries whose next pages are kept; the oldest goes first."""

_LOCATOR = re.compile(r"(01g[0-9A-Za-z]{15})-(\d{1,9})")


def attributes(target: SObject, record_id: str, base: str) -> dict[str, str]:
    """Return what precedes the fields of a record."""
    return {"type": target.name, "url": f"{base}/sobjects/{target.name}/{record_id}"}


@dataclass(frozen=True, slots=True)
class _Cursor:
    statement: Statement
    found: tuple[str, ...]
    batch: int


class Queries:
    """The query resource over a store.

    Args:
        store: where the records are.
        page_rows: records of a page at most, whatever clients ask for.
    """

    def __init__(self, store: Store, page_rows: int = MAX_BATCH) -> None:
        self._store = store
        self._page_rows = page_rows
        self._cursors: OrderedDict[str, _Cursor] = OrderedDict()
        self._made = 0

    def start(self, soql: str, batch: int, base: str) -> dict[str, Any]:
        """Return the first page of a query's answer; ``base`` is the path of the API's version.

        Raises:
            CrmRefusal: the query cannot be answered.
        """
        try:
            statement = compile_soql(parse_soql(soql), soql)
        except SoqlError as error:
            raise CrmRefusal(400, error.code, str(error)) from error
        if statement.is_count:
            return {"totalSize": self._count(statement), "done": True, "records": []}
        found = self._found(statement)
        cursor = _Cursor(statement, found, min(batch, self._page_rows))
        if len(found) <= cursor.batch:
            return self._page(cursor, "", 0, base)
        self._made += 1
        locator = make_id("01g", self._made)
        self._cursors[locator] = cursor
        if len(self._cursors) > MAX_CURSORS:
            self._cursors.popitem(last=False)
        return self._page(cursor, locator, 0, base)

    def more(self, locator: str, base: str) -> dict[str, Any]:
        """Return the page that ``nextRecordsUrl`` named.

        Raises:
            CrmRefusal: nobody knows the page, or no longer.
        """
        match = _LOCATOR.fullmatch(locator)
        cursor = None if match is None else self._cursors.get(match[1])
        if match is None or cursor is None or int(match[2]) >= len(cursor.found):
            raise CrmRefusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(cursor, match[1], int(match[2]), base)

    def _count(self, statement: Statement) -> int:
        sql = f"SELECT count(*) AS n FROM {statement.source} WHERE {statement.where}"  # noqa: S608 - names are ours
        count = int(self._store.query(sql, statement.params)[0]["n"])
        return count if statement.limit is None else min(count, statement.limit)

    def _found(self, statement: Statement) -> tuple[str, ...]:
        limit = -1 if statement.limit is None else statement.limit
        sql = (
            f'SELECT t0."Id" AS id FROM {statement.source} WHERE {statement.where} '  # noqa: S608 - names are ours
            f"ORDER BY {statement.order} LIMIT ? OFFSET ?"
        )
        rows = self._store.query(sql, (*statement.params, limit, statement.offset))
        return tuple(row["id"] for row in rows)

    def _page(self, cursor: _Cursor, locator: str, start: int, base: str) -> dict[str, Any]:
        end = start + cursor.batch
        answer: dict[str, Any] = {"totalSize": len(cursor.found), "done": end >= len(cursor.found)}
        if not answer["done"]:
            answer["nextRecordsUrl"] = f"{base}/query/{locator}-{end}"
        answer["records"] = self._records(cursor.statement, cursor.found[start:end], base)
        return answer

    def _records(self, statement: Statement, ids: Sequence[str], base: str) -> list[dict[str, Any]]:
        where = f't0."Id" IN ({marks(ids)})'
        rows = {row["id"]: row for row in self._select(statement, where, ids)}
        children = [(child.name, self._children(child, ids, base)) for child in statement.children]
        records = []
        for record_id in ids:
            record = _record(statement, rows[record_id], base)
            for name, by_parent in children:
                found = by_parent.get(record_id)
                record[str(name)] = found and {"totalSize": len(found), "done": True, "records": found}
            records.append(record)
        return records

    def _children(self, statement: Statement, ids: Sequence[str], base: str) -> Mapping[str, list[dict[str, Any]]]:
        pointer = "" if statement.child is None else f't0."{statement.child.field_name}"'
        where = f"{pointer} IN ({marks(ids)}) AND {statement.where}"
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self._select(statement, where, [*ids, *statement.params], pointer):
            found.setdefault(row["parent"], []).append(_record(statement, row, base))
        end = None if statement.limit is None else statement.offset + statement.limit
        return {parent: kept for parent, all_of in found.items() if (kept := all_of[statement.offset : end])}

    def _select(self, statement: Statement, where: str, params: Sequence[Any], pointer: str = "") -> list[sqlite3.Row]:
        shown = ['t0."Id" AS id', *(f"{column.sql} AS c{place}" for place, column in enumerate(statement.columns))]
        shown += [f"{sql} AS p{place}" for place, (_, _, sql) in enumerate(statement.parents)]
        if pointer:
            shown.append(f"{pointer} AS parent")
        sql = (
            f"SELECT {', '.join(shown)} FROM {statement.source} "  # noqa: S608 - names are ours
            f"WHERE {where} ORDER BY {statement.order}"
        )
        return self._store.query(sql, params)


def _record(statement: Statement, row: sqlite3.Row, base: str) -> dict[str, Any]:
    record: dict[str, Any] = {"attributes": attributes(statement.target, row["id"], base)}
    nested: dict[tuple[str, ...], dict[str, Any] | None] = {(): record}
    for place, (names, target, _) in enumerate(statement.parents):
        above, parent_id = nested[names[:-1]], row[f"p{place}"]
        nested[names] = None if parent_id is None else {"attributes": attributes(target, parent_id, base)}
        if above is not None:
            above[names[-1]] = nested[names]
    for place, column in enumerate(statement.columns):
        holder = nested[column.parents]
        if holder is not None:
            holder[column.field.name] = show(column.field, row[f"c{place}"])
    return record
