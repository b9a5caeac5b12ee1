"""Subscribers in a process of their own, so that a measurement of fan-out has enough of them.

    python bench/listen.py PORT PROTOCOL COUNT

Prints a line when all are open, and when its input ends one line of JSON: how many events came, and how many of them
took how many milliseconds from the subgraph to here. ``bench/server.py`` starts it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter

import uvloop
from clients import Listener, subscriber
from served import raise_open_files

_AT = re.compile(rb'"at":([0-9.e+]+)')
_END = b'"number"'


class Delays:
    """Counts events by their delay. Those that come in one piece count as the oldest of them, which is the slowest."""

    def __init__(self) -> None:
        self.of_ms: Counter[int] = Counter()

    def __call__(self, listener: Listener, data: bytes) -> None:
        """Take bytes of one stream; an event that is not whole waits for its rest."""
        data = listener.tail + data
        end = data.rfind(_END)
        if end >= 0:
            oldest = _AT.search(data)
            assert oldest is not None
            delay_s = time.monotonic() - float(oldest[1])
            self.of_ms[int(delay_s * 1000)] += data.count(_END)
            data = data[end + len(_END) :]
        listener.tail = data[-64:]


async def listen(port: int, protocol: str, count: int) -> None:
    """Listen until the input ends."""
    delays, loop = Delays(), asyncio.get_running_loop()
    listeners = [subscriber(protocol, delays) for _ in range(count)]
    for listener in listeners:
        await loop.create_connection(lambda listener=listener: listener, "127.0.0.1", port)
    async with asyncio.timeout(60):
        await asyncio.gather(*(listener.is_open for listener in listeners))
    print("open", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(delays.of_ms), flush=True)


if __name__ == "__main__":
    raise_open_files()
    uvloop.run(listen(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
