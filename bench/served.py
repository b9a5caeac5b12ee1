"""What the measurements of the server have in common: a gateway as its own process, and what is read of it.

The subgraphs run in the process of the measurement, answer from memory and are asked over the loopback like any other.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn

START_S = 30
OPEN_FILES = 65_536
"""Wanted; less is taken where the system allows no more."""


class Gateway:
    """The served gateway: where it listens and what it uses."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.process = process

    def resident_mib(self) -> float:
        """Return the resident memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def cpu_s(self) -> float:
        """Return user and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        """Return the number of open descriptors."""
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())


def raise_open_files() -> int:
    """Allow as many open files as the system lets this process have; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in ((OPEN_FILES, max(hard, OPEN_FILES)), (min(OPEN_FILES, hard), hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, wanted)
            return wanted[0]
        except (ValueError, OSError):
            continue
    return soft


@asynccontextmanager
async def serve_app(app: Any) -> AsyncIterator[str]:
    """Serve subgraphs in this process and yield their address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", access_log=False, lifespan="off")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    task = asyncio.get_running_loop().create_task(server.main_loop())
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        for connection in tuple(server.server_state.connections):
            connection.transport.abort()
        for running in tuple(server.server_state.tasks):
            running.cancel()
        await server.shutdown()


@asynccontextmanager
async def gateway(sdl: Mapping[str, str], address: str, settings: Mapping[str, Any]) -> AsyncIterator[Gateway]:
    """Start ``crossdock gateway`` over subgraphs at ``address/name`` and yield it once it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        entries = [{"name": each, "url": f"{address}/{each}", "sdl": text} for each, text in sdl.items()]
        (folder / "subgraphs.json").write_text(json.dumps(entries))
        (folder / "gateway.json").write_text(json.dumps(settings))
        options = ["--subgraphs", "subgraphs.json", "--config", "gateway.json", "--port", str(port)]
        with (folder / "log").open("wb") as log:
            command = [sys.executable, "-m", "crossdock", "gateway", *options]
            root = str(Path(__file__).parents[1])
            process = subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": root}, stderr=log)  # noqa: ASYNC220
        try:
            await _ready(port, process, folder / "log")
            yield Gateway(port, process)
        finally:
            process.kill()
            process.wait(timeout=START_S)


async def _ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    async with asyncio.timeout(START_S):
        while True:
            if process.poll() is not None:
                sys.exit(f"the gateway did not start: {log.read_text()[-2000:]}")  # noqa: ASYNC240
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def report(what: str, value: float, unit: str, target: str = "") -> None:
    """Print one figure."""
    print(f"{what:66}{value:10.2f} {unit}{f'   (target {target})' if target else ''}", flush=True)


def where() -> None:
    """Print on what is measured."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model n" in line
        ),
        "unknown",
    )
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{os.cpu_count()} cores of {model}, Python {sys.version.split()[0]}, load before {load}", flush=True)
