"""Reading entity sets the OData way: filter, select, expand, order, count, pages.

The store writes each entity's JSON: a decimal, kept as a text, becomes a JSON number digit by digit and never a float.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from sandbox.erp.odata_filter import FLAG, NUMBER, TEXT, BadFilter, Column, parse_filter
from sandbox.erp.sets import SETS, EntitySet, Kind
from sandbox.erp_book.codes import ErpError
from sandbox.kit.rest import Refusal, marks
from sandbox.kit.store import Store

__all__ = ["MAX_PAGE", "find_set", "read_match", "read_one", "read_page"]

MAX_PAGE = 1_000
"""Rows of one page of the server."""

MAX_TOP = 20_000
"""Rows that ``$top`` may ask for over all pages."""

KEPT_VIEWS = 256
"""Different ``$select`` lists whose SQL is kept."""

_OPTIONS = frozenset(("$filter", "$select", "$expand", "$orderby", "$top", "$skip", "$skiptoken", "$count"))
_BY_NAME = {(entity_set.group, entity_set.name): entity_set for entity_set in SETS}
_ETAG = re.compile(r'W/"(\d{1,15})"')
_EXPAND = re.compile(r"([A-Za-z]+)(?:\(\$select=([A-Za-z0-9_, ]+)\))?(?:,|$)")


def find_set(group: str, name: str) -> EntitySet:
    """Return an entity set.

    Raises:
        Refusal: there is none of this name in the group.
    """
    found = _BY_NAME.get((group, name))
    if found is None:
        raise Refusal(404, ErpError.NOT_FOUND, f"Resource not found for the segment '{name}'")
    return found


def read_match(match: str) -> int | None:
    """Return the version that ``If-Match`` wants, None when it takes any.

    Raises:
        Refusal: 412 when it is no ETag.
    """
    if match == "*":
        return None
    found = _ETAG.fullmatch(match)
    if found is None:
        raise Refusal(412, ErpError.PRECONDITION, f"If-Match {match!r} is no ETag")
    return int(found[1])


def read_page(store: Store, entity_set: EntitySet, options: Mapping[str, str], url: str) -> dict[str, Any]:
    """Return a page of a set, with ``@odata.nextLink`` when there is more.

    Args:
        store: where the rows are.
        entity_set: what is read.
        options: the query options.
        url: address of the set, of which links are made.

    Raises:
        Refusal: an option is unknown or cannot be read.
    """
    unknown = [name for name in options if name.startswith("$") and name not in _OPTIONS]
    if unknown:
        raise Refusal(400, ErpError.BAD_REQUEST, f"The query option {unknown[0]} is not supported")
    where, params = _where(entity_set, options.get("$filter"))
    top = min(_whole(options, "$top", MAX_TOP), MAX_TOP)
    skip, passed = _whole(options, "$skip", 0), _whole(options, "$skiptoken", 0)
    size = min(top, MAX_PAGE)
    body = _body(entity_set.group, entity_set.name, options.get("$select"))
    rows = store.query(
        f"SELECT id, {body} FROM {entity_set.table} WHERE {where} "  # noqa: S608 - names are ours
        f"ORDER BY {_order(entity_set, options.get('$orderby'))} LIMIT {size + 1} OFFSET {skip + passed}",
        params,
    )
    page: dict[str, Any] = {"@odata.context": f"{url}/$metadata"}
    if options.get("$count") == "true":
        counted = store.one(f"SELECT count(*) AS n FROM {entity_set.table} WHERE {where}", params)  # noqa: S608
        page["@odata.count"] = 0 if counted is None else counted["n"]
    page["value"] = _shown(store, entity_set, rows[:size], options.get("$expand"))
    if len(rows) > size and top > size:
        following = {**options, "$skiptoken": str(passed + size)}
        if "$top" in options:
            following["$top"] = str(top - size)
        page["@odata.nextLink"] = f"{url}?{urlencode(following, quote_via=quote)}"
    return page


def read_one(store: Store, entity_set: EntitySet, key: str, options: Mapping[str, str]) -> orjson.Fragment:
    """Return the JSON of the entity with this id.

    Raises:
        Refusal: there is none, or an option cannot be read.
    """
    body = _body(entity_set.group, entity_set.name, options.get("$select"))
    rows = store.query(
        f"SELECT id, {body} FROM {entity_set.table} WHERE id = ? AND {entity_set.only}",  # noqa: S608 - names are ours
        (key,),
    )
    if not rows:
        raise Refusal(404, ErpError.NO_RECORD, f"{entity_set.name}({key}) does not exist")
    return _shown(store, entity_set, rows, options.get("$expand"))[0]


def _shown(
    store: Store, entity_set: EntitySet, rows: Sequence[sqlite3.Row], expand: str | None
) -> list[orjson.Fragment]:
    """Return the JSON of rows (id, body) with what is expanded."""
    bodies = [row[1] for row in rows]
    for name, selected in _expansions(expand):
        found = _expanded(store, entity_set, [row[0] for row in rows], name, selected)
        bodies = [f'{body},"{name}":[{",".join(lines)}]' for body, lines in zip(bodies, found, strict=True)]
    return [orjson.Fragment(f"{body}}}") for body in bodies]


def _expanded(
    store: Store, entity_set: EntitySet, keys: Sequence[str], name: str, selected: str | None
) -> list[list[str]]:
    """Return the JSON of what each key's entity is expanded with."""
    navigation = entity_set.expand.get(name)
    if navigation is None:
        raise Refusal(400, ErpError.BAD_REQUEST, f"{entity_set.name} cannot expand {name!r}")
    target = find_set(entity_set.group, navigation.target)
    found: dict[str, list[str]] = {key: [] for key in keys}
    query = (
        f"SELECT {navigation.foreign}, {_body(target.group, target.name, selected)} FROM {target.table} "  # noqa: S608 - names are ours
        f"WHERE {navigation.foreign} IN ({marks(keys)}) ORDER BY {target.order}"
    )
    for key, body in store.query(query, keys):
        found[key].append(f"{body}}}")
    return [found[key] for key in keys]


def _expansions(text: str | None) -> list[tuple[str, str | None]]:
    if not text:
        return []
    found = list(_EXPAND.finditer(text))
    if "".join(match[0] for match in found) != text:
        raise Refusal(400, ErpError.BAD_REQUEST, f"$expand cannot be read: {text!r}")
    return [(match[1], match[2]) for match in found]


@lru_cache(maxsize=KEPT_VIEWS)
def _body(group: str, name: str, selected: str | None) -> str:
    """Return the SQL expression of an entity's JSON, its last brace left out so that more can follow."""
    entity_set = find_set(group, name)
    names = list(entity_set.fields) if not selected else [part.strip() for part in selected.split(",")]
    unknown = [field for field in names if field not in entity_set.fields]
    if unknown:
        raise Refusal(400, ErpError.BAD_REQUEST, f"Could not find a property named '{unknown[0]}' on type '{name}'")
    parts = [f"""'{{"@odata.etag":"W/\\"' || {entity_set.version} || '\\""'"""]
    parts += [f"""',"{field}":' || {_JSON[entity_set.fields[field]].format(field)}""" for field in names]
    return " || ".join(parts)


_JSON = {
    Kind.TEXT: "json_quote({0})",
    Kind.WHOLE: "coalesce({0}, 'null')",
    Kind.NUMBER: "coalesce({0}, 'null')",
    Kind.FLAG: "CASE {0} WHEN 0 THEN 'false' ELSE 'true' END",
    Kind.JSON: "{0}",
}
_ACCEPTS = {Kind.TEXT: TEXT, Kind.NUMBER: NUMBER, Kind.WHOLE: NUMBER, Kind.FLAG: FLAG}


@lru_cache(maxsize=len(SETS))
def _columns(group: str, name: str) -> Mapping[str, Column]:
    return {
        field: Column(f"CAST({field} AS REAL)" if kind is Kind.NUMBER else field, _ACCEPTS[kind])
        for field, kind in find_set(group, name).fields.items()
        if kind in _ACCEPTS
    }


def _where(entity_set: EntitySet, text: str | None) -> tuple[str, tuple[Any, ...]]:
    if not text:
        return entity_set.only, ()
    try:
        condition = parse_filter(text, _columns(entity_set.group, entity_set.name))
    except BadFilter as error:
        raise Refusal(400, ErpError.BAD_REQUEST, str(error)) from error
    return f"{entity_set.only} AND {condition.sql}", condition.params


def _order(entity_set: EntitySet, text: str | None) -> str:
    if not text:
        return f"{entity_set.order}, id"
    parts = []
    for part in text.split(","):
        name, _, direction = part.strip().partition(" ")
        if name not in entity_set.fields or direction.strip() not in ("", "asc", "desc"):
            raise Refusal(400, ErpError.BAD_REQUEST, f"$orderby cannot be read: {part.strip()!r}")
        column = f"CAST({name} AS REAL)" if entity_set.fields[name] is Kind.NUMBER else name
        parts.append(f"{column} {direction.strip() or 'asc'}")
    return ", ".join([*parts, "id"])


def _whole(options: Mapping[str, str], name: str, default: int) -> int:
    text = options.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refusal(400, ErpError.BAD_REQUEST, f"{name} must be a whole number")
    return int(text)
