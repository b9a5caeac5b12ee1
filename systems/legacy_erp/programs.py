"""Calls of the old programs: keys by the fifty, answers to their end, return codes as failures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from schema.enums import SourceSystem
from systems.bulk import BulkReader
from systems.client import VendorClient
from systems.errors import Unavailable, Unexpected
from systems.legacy_erp.fields import Record
from systems.legacy_erp.refusals import BROKE_OFF, DONE, failure_of

__all__ = ["MAX_KEYS", "MAX_KEY_CHARS", "Programs", "askable", "in_calls"]

MAX_KEYS = 50
"""Keys that a program takes at once."""

MAX_KEY_CHARS = 120
"""Longest key of the ERP's files; nothing is found under a longer one, so it is not asked for."""

MAX_ANSWERS = 200
"""Answers to one question; a program that goes on for longer is broken."""

AT_ONCE = 4
"""Calls of one question under way at once: its machine has few jobs for us, and others ask too."""

T = TypeVar("T")


class Programs:
    """Runs programs of one ERP."""

    def __init__(self, client: VendorClient) -> None:
        self._client = client
        self._bulk = BulkReader(SourceSystem.LEGACY_ERP, client)

    async def by_keys(
        self,
        operation: str,
        program: str,
        keys: tuple[str, Iterable[str]],
        read: Callable[[Record], T],
        **more: Any,
    ) -> list[T]:
        """Return what is found under keys (their kind and values), fifty of them per call; no call without keys."""
        by, values = keys
        questions = [{"BY": by, "KEYS": chunk, **more} for chunk in in_calls(values)]
        return await self.each(operation, program, questions, read)

    async def each(
        self, operation: str, program: str, questions: Sequence[Mapping[str, Any]], read: Callable[[Record], T]
    ) -> list[T]:
        """Return what the questions find, in their order.

        Raises:
            Unexpected: an answer is not of the agreed shape, or does not end.
            ConnectorError: what the client raises.
        """
        if len(questions) == 1:
            return await self.records(operation, program, questions[0], read)
        places = asyncio.Semaphore(AT_ONCE)

        async def ask(question: Mapping[str, Any]) -> list[T]:
            async with places:
                return await self.records(operation, program, question, read)

        asked = [asyncio.ensure_future(ask(question)) for question in questions]
        try:
            return [record for records in await asyncio.gather(*asked) for record in records]
        finally:
            for one in asked:
                one.cancel()

    async def records(
        self, operation: str, program: str, question: Mapping[str, Any], read: Callable[[Record], T]
    ) -> list[T]:
        """Return what one question finds, over all of its answers."""
        found: list[T] = []
        start = 0
        for _ in range(MAX_ANSWERS):
            asked = question if start == 0 else {**question, "START": start}
            body = (await self._client.query(operation, f"/svc/{program}", asked)).body
            page, start = self.read(
                operation, body, lambda body: ([read(record) for record in body["RECS"]], int(body["NEXT"]))
            )
            found += page
            if start == 0:
                return found
        raise Unexpected(SourceSystem.LEGACY_ERP, operation, f"more than {MAX_ANSWERS} answers")

    async def run(self, operation: str, program: str, order: Mapping[str, Any]) -> Any:
        """Have a program write something, once, and return its answer.

        Raises:
            Unavailable: with ``outcome_unknown`` when it may be done.
            ConnectorError: another kind, and nothing was done.
        """
        body = (await self._client.send(operation, "POST", f"/svc/{program}", order)).body
        self.read(operation, body, lambda body: body["RC"], is_write=True)
        return body

    def read(self, operation: str, body: Any, read: Callable[[Any], T], *, is_write: bool = False) -> T:
        """Return what ``read`` makes of an answer, unless it is a refusal.

        Raises:
            ConnectorError: what the return code says, or the answer is not of the agreed shape.
        """
        code = self._bulk.read(operation, body, lambda body: body["RC"], is_write=is_write)
        if code == BROKE_OFF:
            raise Unavailable(SourceSystem.LEGACY_ERP, operation, "the program broke off", outcome_unknown=is_write)
        if code != DONE:
            raise self._bulk.read(operation, body, lambda body: failure_of(operation, body), is_write=is_write)
        return self._bulk.read(operation, body, read, is_write=is_write)


def in_calls(keys: Iterable[str]) -> list[list[str]]:
    """Return keys that can be asked for, each once, in parts that fit into a call."""
    wanted = [key for key in dict.fromkeys(keys) if askable(key)]
    return [wanted[start : start + MAX_KEYS] for start in range(0, len(wanted), MAX_KEYS)]


def askable(key: str) -> bool:
    """Return whether a key can be one of the ERP's: short, without blanks at its ends, and sendable."""
    if not key or len(key) > MAX_KEY_CHARS or key != key.strip():
        return False
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
