"""Loaders over bulk reads of ports: what one request asks for one by one becomes one call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from aiodataloader import DataLoader

from systems.errors import ConnectorError

__all__ = ["bulk_loader"]

V = TypeVar("V")


def bulk_loader(read: Callable[[Sequence[str]], Awaitable[Mapping[str, V]]]) -> DataLoader[str, V | None]:
    """Return a loader over a bulk read; it gives None for what the read does not know.

    A failure is kept like an answer, so that a system which is away is asked once per request.
    """

    async def load(keys: list[str]) -> list[Any]:
        try:
            found = await read(keys)
        except ConnectorError as error:
            return [error] * len(keys)
        return [found.get(key) for key in keys]

    return DataLoader(load)
