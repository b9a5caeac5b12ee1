"""The gateway as its own process: the supergraph by settings, reload, and an end that drops nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from gateway.composition import SubgraphSource, compose_or_raise
from tests.support.serving import serve_asgi

PATIENCE_S = 30


class Subgraph:
    """Answers once it may, and tells when somebody asks."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        self.asked.set()
        await self.may_answer.wait()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"data": {"a": 1, "b": 2}}'})


def supergraph(url: str, fields: str) -> str:
    source = SubgraphSource(name="s", url=url, sdl=f"type Query {{ {fields} }}")
    return str(compose_or_raise([source]).supergraph)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    """Start the gateway over ``supergraph.graphql`` in a folder and wait until it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"server": {"port": port}, "supergraph": {"file": "supergraph.graphql", "reload": True, "poll": "20ms"}}
    (folder / "gateway.yaml").write_text(json.dumps(settings))
    command = (sys.executable, "-m", "gateway.cli", "gateway", "--config", "gateway.yaml")
    root = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env={"PYTHONPATH": str(root)}, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
            async with asyncio.timeout(PATIENCE_S):
                await until_ready(process, client)
            yield process, client
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_ready(process: asyncio.subprocess.Process, client: httpx.AsyncClient) -> None:
    while True:
        assert process.returncode is None
        try:
            if (await client.get("/health/ready")).status_code == 200:
                return
        except httpx.TransportError:
            continue


async def test_a_changed_file_is_served_and_a_request_under_way_is_answered_before_the_process_ends(tmp_path):
    subgraph = Subgraph()
    path = tmp_path / "supergraph.graphql"
    async with serve_asgi(subgraph) as url:
        path.write_text(supergraph(url, "a: Int"))
        async with served(tmp_path) as (process, client), asyncio.timeout(PATIENCE_S):
            path.write_text(supergraph(url, "a: Int b: Int"))
            asked = asyncio.get_running_loop().create_task(post_until_known(client, "{ b }"))
            await subgraph.asked.wait()
            process.send_signal(signal.SIGTERM)
            subgraph.may_answer.set()
            assert (await asked).json() == {"data": {"b": 2}}
            assert await process.wait() == 0


async def post_until_known(client: httpx.AsyncClient, query: str) -> httpx.Response:
    """Ask until the graph has what is asked for."""
    while True:
        response = await client.post("/graphql", json={"query": query})
        codes = {error["extensions"]["code"] for error in response.json().get("errors", ())}
        if codes != {"GRAPHQL_VALIDATION_FAILED"}:
            return response
