"""Programs of the distribution graph that are asked to stop."""

from __future__ import annotations

import signal
import subprocess
import sys

WAIT_S = 60
PROGRAM = """
import asyncio
from crossdock.serving import stop_signal

async def drain_for_ever():
    until = stop_signal()
    print("ready", flush=True)
    await until.wait()
    print("stopping", flush=True)
    while True:
        print("held up", flush=True)

asyncio.run(drain_for_ever())
"""


def test_a_second_interrupt_ends_a_program_at_once_even_while_it_is_held_up():
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGINT)
        assert program.stdout.readline() == "stopping\n"
        program.send_signal(signal.SIGTERM)
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=WAIT_S)
    assert program.returncode == 130
    assert "another Ctrl-C ends it at once" in said
    assert "interrupted again: ended at once" in said
