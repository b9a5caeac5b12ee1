"""Several processes serve one gateway: their figures are told together, and signals and deaths concern all of them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.gateway.test_served import supergraph, until_ready
from tests.support.serving import serve_asgi

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc"),
]

WAIT_S = 60
ROOT = Path(__file__).parents[3]
REQUESTS = 40


async def answer(scope, receive, send):
    if scope["type"] == "http":
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"data": {"a": 1, "x": 1, "y": 1}}'})


class Served:
    """A gateway with two workers. Each request comes by a connection of its own, so that both are met."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.address = f"http://127.0.0.1:{port}"

    async def get(self, path: str) -> str:
        async with httpx.AsyncClient(base_url=self.address, timeout=WAIT_S) as client:
            return (await client.get(path)).text

    async def ask(self, query: str = "{ a }") -> str:
        async with httpx.AsyncClient(base_url=self.address, timeout=WAIT_S) as client:
            found = (await client.post("/graphql", json={"query": query})).json()
        return str(found["errors"][0]["extensions"]["code"]) if "errors" in found else "ok"

    async def figure(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", await self.get("/metrics"), re.MULTILINE)
        return 0.0 if found is None else float(found[1])

    def workers(self) -> list[int]:
        """Return the process ids of the workers that live."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        commands = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
        return sorted(child for child, command in commands.items() if b"spawn_main" in command)

    def write(self, **sections: object) -> None:
        settings = {
            "server": {"workers": 2},
            "supergraph": {"file": "supergraph.graphql"},
            "telemetry": {"metrics": True},
            **sections,
        }
        (self.folder / "gateway.yaml").write_text(json.dumps(settings))


@asynccontextmanager
async def served(folder: Path, exit_code: int = 0) -> AsyncIterator[Served]:
    async with serve_asgi(answer) as url:
        await asyncio.to_thread((folder / "supergraph.graphql").write_text, supergraph(url, "a: Int"))
        Served(None, 0, folder).write()  # type: ignore[arg-type]
        command = (sys.executable, "-m", "gateway.cli", "gateway", "--config", "gateway.yaml", "--port", "0")
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(WAIT_S):
                while not (found := re.search(rb"127\.0\.0\.1:(\d+)", await process.stderr.readline())):
                    assert process.returncode is None
                reading = asyncio.create_task(process.stderr.read())
                running = Served(process, int(found[1]), folder)
                async with httpx.AsyncClient(base_url=running.address, timeout=WAIT_S) as client:
                    await until_ready(process, client)
                yield running
                if process.returncode is None:
                    process.send_signal(signal.SIGTERM)
                assert await process.wait() == exit_code
                await reading
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_any_worker_tells_the_figures_of_all_and_those_of_a_worker_that_died_are_not_lost(tmp_path: Path) -> None:
    counted = 'gateway_operations_total{kind="query",operation="",outcome="ok"}'
    async with served(tmp_path) as gateway:
        assert await asyncio.gather(*(gateway.ask() for _ in range(REQUESTS))) == ["ok"] * REQUESTS
        assert {await gateway.figure(counted) for _ in range(20)} == {REQUESTS}
        assert await gateway.figure("gateway_operation_seconds_count" + '{kind="query"}') == REQUESTS
        while await gateway.figure("gateway_plans") != 2:  # a plan in each worker, once each has looked at its figures
            await gateway.ask()
        asked = await gateway.figure(counted)
        before = gateway.workers()
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        while len(after := gateway.workers()) != 2 or before[0] in after:
            await gateway.get("/health/ready")
        assert await gateway.figure(counted) == asked
        assert await gateway.ask() == "ok"
        assert await gateway.figure(counted) == asked + 1
        folder = next(Path(path) for path in metrics_folders(gateway.process.pid))
        files = sorted(path.name for path in folder.iterdir())
        assert {name.rpartition("_")[2] for name in files} <= {"0.db", "1.db"}


def metrics_folders(pid: int) -> list[str]:
    """Return the folders that the workers of a process share."""
    maps = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = [line for child in maps for line in Path(f"/proc/{child}/maps").read_text().splitlines() if ".db" in line]
    return sorted({str(Path(line.split()[-1]).parent) for line in found})


async def test_a_hangup_reaches_every_worker(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        assert await gateway.ask("{ x: a y: a }") == "ok"
        gateway.write(limits={"max_root_fields": 1})
        gateway.process.send_signal(signal.SIGHUP)
        refused = 0
        while refused < 20:  # so many in a row do not all go to one of two
            refused = refused + 1 if await gateway.ask("{ x: a y: a }") == "LIMIT_EXCEEDED" else 0


async def test_input_that_cannot_be_used_ends_all_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(json.dumps({"server": {"workers": 2}, "supergraph": {"file": "no.graphql"}}))
    command = (sys.executable, "-m", "gateway.cli", "gateway", "--config", "gateway.yaml", "--port", "0")
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(WAIT_S):
        _, said = await process.communicate()
    assert process.returncode == 2
    assert b"no.graphql: No such file" in said
    assert b"Traceback" not in said


async def test_workers_end_when_the_process_that_listens_dies(tmp_path: Path) -> None:
    async with served(tmp_path, exit_code=-signal.SIGKILL) as gateway:
        workers = gateway.workers()
        gateway.process.kill()
        await gateway.process.wait()
        await asyncio.to_thread(wait_for_end, workers)


def wait_for_end(workers: list[int]) -> None:
    """Return when none of these processes lives any more; they are children of nobody here."""
    until = time.monotonic() + WAIT_S
    for worker in workers:
        while Path(f"/proc/{worker}").exists():
            assert time.monotonic() < until, f"process {worker} still lives"
            time.sleep(0.05)
