"""Loaders over bulk reads of ports: what one request asks for one by one becomes one call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from aiodataloader import DataLoader

from systems.errors import ConnectorError, PartlyAnswered

__all__ = ["bulk_loader", "read_what_answers"]

V = TypeVar("V")


def bulk_loader(read: Callable[[Sequence[str]], Awaitable[Mapping[str, V]]]) -> DataLoader[str, V | None]:
    """Return a loader over a bulk read; it gives None for what the read does not know.

    A failure is kept like an answer, so that a system which is away is asked once per request. It is that of the keys
    which were not answered.
    """

    async def load(keys: list[str]) -> list[Any]:
        found, failures = await read_what_answers(read, keys)
        return [failures.get(key) or found.get(key) for key in keys]

    return DataLoader(load)


async def read_what_answers(
    read: Callable[[Sequence[str]], Awaitable[Mapping[str, V]]], keys: Sequence[str]
) -> tuple[Mapping[str, V], Mapping[str, ConnectorError]]:
    """Return what a bulk read found, and what kept which keys from being answered whole."""
    try:
        return await read(keys), {}
    except PartlyAnswered as partly:
        return partly.found, partly.failures
    except ConnectorError as error:
        return {}, dict.fromkeys(keys, error)
