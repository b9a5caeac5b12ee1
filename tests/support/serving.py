"""Real servers on loopback for tests: an ASGI application behind uvicorn, or raw bytes behind a socket."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn

from gateway.server.lean_uvicorn import LeanHttpProtocol, LeanWebSocketProtocol
from tests.support.certificates import Pair


@asynccontextmanager
async def serve_asgi(
    app: Any,
    http: Any = LeanHttpProtocol,
    *,
    tls: Pair | None = None,
    clients_by: Path | None = None,
    is_lean: bool = True,
) -> AsyncIterator[str]:
    """Serve an application in the running loop and yield its address, ``http://127.0.0.1:PORT``.

    With ``tls`` the address is one of https; with ``clients_by`` only clients with a certificate by it are let in. With
    ``is_lean`` connections are those of our own servers, else uvicorn's as they are.
    """
    more: dict[str, Any] = {"http": http, "ws": LeanWebSocketProtocol, "ws_per_message_deflate": False}
    if not is_lean:
        more = {"http": "httptools", "ws": "websockets-sansio"}
    if tls is not None:
        more |= {"ssl_certfile": tls.certificate, "ssl_keyfile": tls.key}
    if clients_by is not None:
        more |= {"ssl_ca_certs": str(clients_by), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", **more)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    task = asyncio.create_task(server.main_loop())
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task
        for connection in tuple(server.server_state.connections):
            connection.transport.abort()
        for running in tuple(server.server_state.tasks):
            running.cancel()
        await server.shutdown()


@asynccontextmanager
async def serve_raw(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Serve whatever ``answer`` writes and yield the address; connections are cut at the end."""
    tasks: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            return
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for task in tuple(tasks):
            task.cancel()
        server.close()
        await server.wait_closed()
