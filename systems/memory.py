"""What systems said last, for answers that are better somewhat old than missing.

Readings are kept per kind and key, within a time and up to a number of entries; the ones that were read longest ago go
first. One :class:`Recollection` belongs to one answer: it reads through to the system, and when that is out it recalls,
all that is asked for or nothing, and remembers how old the oldest of it is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from systems.errors import ConnectorError, PartlyAnswered
from systems.outage import is_outage

__all__ = ["MAX_ENTRIES", "Memory", "Recollection"]

MAX_ENTRIES = 100_000
"""Readings that one program keeps; one of a price row takes about 200 bytes besides the row itself."""

V = TypeVar("V")
_Key = tuple[str, str]


class Memory:
    """Readings of one program.

    Args:
        within: how long a reading may answer.
        most: entries that are kept.
    """

    def __init__(self, within: timedelta, most: int = MAX_ENTRIES) -> None:
        self._within = within
        self._most = most
        self._kept: OrderedDict[_Key, tuple[Any, datetime]] = OrderedDict()

    def keep(self, kind: str, key: str, value: Any, now: datetime) -> None:
        """Keep a reading; None is one too: there was no such thing."""
        self._kept[kind, key] = (value, now)
        self._kept.move_to_end((kind, key))
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def recall(self, kind: str, key: str, now: datetime) -> tuple[Any, datetime] | None:
        """Return a reading and when it was taken, None when there is none or it is too old."""
        found = self._kept.get((kind, key))
        return found if found is not None and now - found[1] <= self._within else None


class Recollection:
    """The readings of one answer.

    Attributes:
        recalled: when each reading was taken that had to be recalled, by kind and key.
    """

    def __init__(self, memory: Memory, now: datetime) -> None:
        self.recalled: dict[tuple[str, str], datetime] = {}
        self._memory = memory
        self._now = now

    @property
    def as_of(self) -> datetime | None:
        """When the oldest reading was taken that had to be recalled; None while every system answered."""
        return min(self.recalled.values(), default=None)

    async def by_key(
        self, kind: str, keys: Sequence[str], read: Callable[[Sequence[str]], Awaitable[Mapping[str, V]]]
    ) -> Mapping[str, V]:
        """Return what a system says of keys, or what it said last when it is out.

        Raises:
            PartlyAnswered: one of several systems does not answer, and not all that it was asked for is remembered.
            ConnectorError: the system does not answer, and not all of it is remembered.
        """
        try:
            found = await read(keys)
        except PartlyAnswered as partly:
            return self._completed(kind, keys, partly)
        except ConnectorError as error:
            recalled = self.recall_all(kind, keys, error)
            return {key: value for key, value in recalled.items() if value is not None}
        self.keep_all(kind, {key: found.get(key) for key in keys})
        return found

    def _completed(self, kind: str, keys: Sequence[str], partly: PartlyAnswered) -> Mapping[str, Any]:
        """Return what was answered with what is remembered of the rest."""
        self.keep_all(kind, {key: partly.found.get(key) for key in keys if key not in partly.failures})
        found, failures = dict(partly.found), dict[str, ConnectorError]()
        for key, error in partly.failures.items():
            try:
                value = self.recall_all(kind, [key], error)[key]
            except ConnectorError:
                failures[key] = error
            else:
                found |= {} if value is None else {key: value}
        if failures:
            silent = {error.system: error for error in failures.values()}
            raise PartlyAnswered(partly.operation, found, failures, silent)
        return found

    def keep_all(self, kind: str, values: Mapping[str, Any]) -> None:
        """Keep readings that were taken now."""
        for key, value in values.items():
            self._memory.keep(kind, key, value, self._now)

    def recall_all(self, kind: str, keys: Sequence[str], error: ConnectorError) -> dict[str, Any]:
        """Return the last reading of every key.

        Raises:
            ConnectorError: ``error`` itself, when it is an answer, or one of the keys is not remembered.
        """
        found = {key: self._memory.recall(kind, key, self._now) for key in keys}
        if not is_outage(error):
            raise error
        readings = {key: reading for key, reading in found.items() if reading is not None}
        if len(readings) < len(found):
            raise error
        self.recalled |= {(kind, key): taken for key, (_, taken) in readings.items()}
        return {key: value for key, (value, _) in readings.items()}
