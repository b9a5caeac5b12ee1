"""The REST resources under ``/services/data/vNN.0``: one call in, one reply out, also for the parts of a composite."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

from sandbox.crm.calls import Call, Reply
from sandbox.crm.composite import Composite
from sandbox.crm.news import ChangeNews
from sandbox.crm.objects import Field, SObject, find_object
from sandbox.crm.query import MAX_BATCH, MIN_BATCH, Queries
from sandbox.crm.records import Records
from sandbox.crm.refusal import CrmRefusal
from sandbox.kit.host import Host

__all__ = ["Api"]

_BATCH = re.compile(r"batchSize=(\d{1,9})")
_NOT_FOUND = CrmRefusal(404, "NOT_FOUND", "The requested resource does not exist")


class Api:
    """The resources.

    Args:
        host: the sandbox.
        page_rows: records of a query's page at most.
        limits: returns (calls that are left, calls of a day).
    """

    def __init__(self, host: Host, page_rows: int, limits: Callable[[], tuple[int, int]]) -> None:
        self._store = host.store
        self._queries = Queries(host.store, page_rows)
        self._records = Records(host.store, host.clock, ChangeNews(host))
        self._limits = limits
        self._composite = Composite(host.store, self.answer)

    def answer(self, call: Call) -> Reply:
        """Answer a call.

        Raises:
            CrmRefusal: the CRM refuses.
        """
        match [unquote(part) for part in call.path.split("/")]:
            case ["query"] | ["query", ""]:
                _allow(call, "GET")
                return Reply(200, self._queries.start(call.params.get("q", ""), _batch(call.options), call.base))
            case ["query", locator]:
                _allow(call, "GET")
                return Reply(200, self._queries.more(locator, call.base))
            case ["limits"]:
                _allow(call, "GET")
                left, of_day = self._limits()
                return Reply(200, {"DailyApiRequests": {"Max": of_day, "Remaining": left}})
            case ["composite"]:
                _allow(call, "POST")
                return Reply(200, self._composite.answer(call.body, call.client))
            case ["sobjects", name]:
                _allow(call, "POST")
                target = _object(name)
                with self._store.transaction():
                    made = self._records.create(target, call.body, call.client)
                return _made(target, made, call.base)
            case ["sobjects", name, record_id]:
                return self._one(call, _object(name), record_id)
            case ["sobjects", name, key, value]:
                target = _object(name)
                return self._by_key(call, target, _external_id(target, key), value)
        raise _NOT_FOUND

    def _one(self, call: Call, target: SObject, record_id: str) -> Reply:
        _allow(call, "GET", "PATCH", "DELETE")
        if call.method == "GET":
            names = tuple(name for name in call.params.get("fields", "").split(",") if name)
            return Reply(200, self._records.read(target, record_id, call.base, names))
        with self._store.transaction():
            if call.method == "PATCH":
                self._records.update(target, record_id, call.body, call.client)
            else:
                self._records.delete(target, record_id, call.client)
        return Reply(204)

    def _by_key(self, call: Call, target: SObject, key: Field, value: str) -> Reply:
        _allow(call, "GET", "PATCH", "DELETE")
        if call.method != "PATCH":
            found = self._records.find(target, key, value)
            if found is None:
                raise _NOT_FOUND
            return self._one(call, target, found)
        with self._store.transaction():
            is_new, record_id = self._records.upsert(target, key, value, call.body, call.client)
        body = {"id": record_id, "success": True, "errors": [], "created": is_new}
        return Reply(201 if is_new else 200, body)


def _made(target: SObject, record_id: str, base: str) -> Reply:
    body = {"id": record_id, "success": True, "errors": []}
    return Reply(201, body, {"Location": f"{base}/sobjects/{target.name}/{record_id}"})


def _object(name: str) -> SObject:
    target = find_object(name)
    if target is None:
        raise _NOT_FOUND
    return target


def _external_id(target: SObject, name: str) -> Field:
    key = target.fields.get(name.lower())
    if key is None or not key.is_external_id:
        message = f"Provided external ID field does not exist or is not accessible: {name}"
        raise CrmRefusal(404, "NOT_FOUND", message)
    return key


def _allow(call: Call, *methods: str) -> None:
    if call.method not in methods:
        accepted = ",".join(methods)
        message = f"HTTP Method '{call.method}' not allowed. Allowed are {accepted}"
        raise CrmRefusal(405, "METHOD_NOT_ALLOWED", message)


def _batch(options: str) -> int:
    found = _BATCH.search(options)
    return MAX_BATCH if found is None else max(MIN_BATCH, min(int(found[1]), MAX_BATCH))
