"""Work that is done again after every failure, without filling the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from systems.errors import ConnectorError

__all__ = ["PAUSE_S", "insist"]

PAUSE_S = 1.0
"""Pause after a system or the platform's own database did not answer."""

TELL_AGAIN_S = 60.0
"""How often the log is told of work that goes on failing for the same reason."""

_log = structlog.get_logger("crossdock.background")


async def insist(name: str, work: Callable[[], Awaitable[None]], pause_s: float = PAUSE_S) -> None:
    """Do ``work`` again and again until this is cancelled, with a pause after each turn.

    Args:
        name: what the log calls the work.
        work: one turn; it may go on for ever.
        pause_s: seconds between two turns.
    """
    loop = asyncio.get_running_loop()
    told, tell_again = "", 0.0
    while True:
        try:
            await work()
        except ConnectorError as error:
            if str(error) != told or loop.time() >= tell_again:
                _log.warning("background work is tried until it succeeds", work=name, error=str(error))
                told, tell_again = str(error), loop.time() + TELL_AGAIN_S
        except Exception:  # noqa: BLE001 - one bad turn must not end the work for good
            _log.exception("background work failed and begins again", work=name)
        await asyncio.sleep(pause_s)
