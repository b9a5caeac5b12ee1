"""Programs of their own on one database: numbers are given once, the last goods are held once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROCESSES = 3
NUMBERS_EACH = 20

PROGRAM = """
import asyncio, json, sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from schema.records.inventory import ReserveLine
from systems.platform import Database, PlatformOrderLedger, PlatformReservationLedger

NOW = datetime(2026, 3, 4, tzinfo=UTC)

async def no_events(connection, events):
    pass

async def main(url, name, count):
    async with Database(url) as database:
        orders = PlatformOrderLedger(database, no_events)
        stock = PlatformReservationLedger(database, no_events)
        print("ready", flush=True)
        sys.stdin.readline()
        numbers = [await orders.next_number() for _ in range(count)]
        line = ReserveLine(1, "VLV-0007", "W01", Decimal(1), "EA", Decimal(5))
        until = NOW + timedelta(hours=1)
        outcomes = [await stock.reserve(f"{name}-{turn}", "acc_1", [line], until, NOW) for turn in range(count)]
    print(json.dumps({"numbers": numbers, "held": sum(1 for held, short in outcomes if held)}))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@pytest.mark.slow
async def test_programs_that_run_at_the_same_time_never_get_the_same_thing(database_url: str):
    def start(turn: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, database_url, f"p{turn}", str(NUMBERS_EACH)]
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    running = [start(turn) for turn in range(PROCESSES)]
    try:
        for process in running:
            assert process.stdout is not None
            assert (await asyncio.to_thread(process.stdout.readline)).strip() == "ready"
        answers = await asyncio.gather(*(asyncio.to_thread(process.communicate, "go\n", 60) for process in running))
    finally:
        for process in running:
            process.kill()
            process.wait()
    results = [json.loads(output) for output, _ in answers]
    given = sorted(number for result in results for number in result["numbers"])
    assert given == [f"SO-{300_001 + turn}" for turn in range(PROCESSES * NUMBERS_EACH)]
    assert sum(result["held"] for result in results) == 5
