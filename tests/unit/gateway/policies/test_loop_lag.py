from __future__ import annotations

import asyncio
import time

from gateway.policies.loop_lag import LoopLag


async def test_what_holds_the_loop_up_is_seen(monkeypatch):
    monkeypatch.setattr("gateway.policies.loop_lag.PAUSE_S", 0.01)
    lag = LoopLag()
    assert lag.worst_s == 0.0
    running = asyncio.create_task(lag.run())
    await asyncio.sleep(0)
    time.sleep(0.1)  # noqa: ASYNC251 - this is the fault that is looked for
    async with asyncio.timeout(5):
        while not lag.worst_s:  # noqa: ASYNC110 - nothing tells when a look is done
            await asyncio.sleep(0)
    running.cancel()
    assert lag.worst_s >= 0.05
