"""Put a gateway together as the command line wants it, and serve it in this process until it is asked to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import uvicorn

from gateway.bootstrap import Gateway, Origin, Upkeep, build_gateway
from gateway.config import GatewaySettings, ServerSettings, read_file, validate
from gateway.errors import ConfigError
from gateway.logs import log_to
from gateway.memory import give_back_freed_memory
from gateway.server.graceful import GracefulServer
from gateway.server.lean_uvicorn import LeanWebSocketProtocol
from gateway.server.listening import listen
from gateway.server.reload import FileSource, SupergraphSource, UrlSource
from gateway.server.sdl_directory import SdlDirectory
from gateway.subgraph_list import SubgraphList
from gateway.transport.download import DownloadFailed
from gateway.transport.tls import check_server_tls

__all__ = ["ServeOptions", "address_of", "build", "end_on_signals", "read_settings", "serve"]

_GC_THRESHOLDS = (50_000, 20, 5)
"""Python's own 700 suit small programs; a large answer makes thousands of objects, all freed by reference counts. What
is not freed so are some hundred objects for each document that is validated, which name each other: all that is in use
is walked for them after every five million objects, so that they never pile up."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the command line says; each is None where it says nothing."""

    supergraph: Path | None = None
    subgraphs: Path | None = None
    config: Path | None = None
    host: str | None = None
    port: int | None = None


def read_settings(options: ServeOptions) -> GatewaySettings:
    """Return the settings of the file with host and port of the command line over them.

    Raises:
        ConfigError: they are not accepted.
    """
    values = {} if options.config is None else read_file(options.config)
    said = (("host", options.host), ("port", options.port))
    given = {name: value for name, value in said if value is not None}
    server = values.get("server", {})
    if given and isinstance(server, dict):  # else it is refused as it stands
        values["server"] = server | given
    return validate(GatewaySettings, values, path=options.config)


def build(options: ServeOptions) -> Gateway:
    """Return a gateway that will look after its settings and its supergraph once it serves.

    Raises:
        GatewayError: settings or supergraph cannot be used; the message says which and why.
    """
    if options.subgraphs is not None and options.supergraph is not None:
        raise ConfigError("give either --supergraph or --subgraphs")
    settings = read_settings(options)
    if settings.server.tls is not None:
        check_server_tls(settings.server.tls)
    source = _source(options, settings)
    sdl = _first(source)
    gateway = build_gateway(sdl, settings=settings)
    origin = None
    if options.config is not None:
        origin = Origin(lambda: read_settings(options), options.config, lambda changed: _source(options, changed))
    Upkeep(gateway, source, origin)
    return gateway


def _source(options: ServeOptions, settings: GatewaySettings) -> SupergraphSource | None:
    """Return where the supergraph comes from: the command line first, then the settings; None for nowhere."""
    given = settings.supergraph
    if options.subgraphs is not None:
        return SubgraphList(options.subgraphs)
    if options.supergraph is not None:
        return FileSource(options.supergraph)
    if given.directory is not None:
        return SdlDirectory(given.directory, {name: own.url or "" for name, own in settings.subgraphs.items()})
    if given.file is not None:
        return FileSource(given.file)
    return None if given.url is None else UrlSource(given.url, given.timeout)


def _first(source: SupergraphSource | None) -> str:
    """Return the supergraph that the gateway starts with."""
    if source is None:
        raise ConfigError("give either --supergraph or --subgraphs, or the supergraph in the settings")
    try:
        return asyncio.run(source.changed()) or ""
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from error
    except (ValueError, DownloadFailed) as error:
        raise ConfigError(f"the supergraph cannot be read: {error}") from error


def end_on_signals(code: Callable[[], int] = lambda: 0) -> None:
    """End the program in order when it is asked to stop, with the exit code that holds then."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(code()))


def address_of(settings: ServerSettings, where: socket.socket) -> str:
    """Return the URL of the endpoint, for logs."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'http' if settings.tls is None else 'https'}://{host}:{where.getsockname()[1]}{settings.path}"


def serve(gateway: Gateway, where: socket.socket | None = None) -> NoReturn:
    """Serve until SIGTERM or SIGINT, then end the program; on a socket that listens already, or at the address set.

    Raises:
        ConfigError: the address cannot be taken, or an extension cannot be opened.
    """
    log_to(sys.stderr)
    given = gateway.settings.server
    tls = given.tls
    if where is None:
        where = listen(given.host, given.port)
        logging.getLogger("gateway").info("starting at %s", address_of(given, where))
    gc.collect()
    gc.freeze()  # schema and supergraph stay for good; walking them again and again would cost a sixth of the work
    gc.set_threshold(*_GC_THRESHOLDS)
    give_back_freed_memory()
    config = uvicorn.Config(
        gateway.asgi,
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else tls.key,
        log_config=None,  # its words go where ours go
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,  # whose word on addresses counts is a setting of ours
        http=gateway.connections.protocol,
        ws=LeanWebSocketProtocol,
        ws_per_message_deflate=False,  # a compressor for each socket, for messages of some hundred bytes
    )
    server = GracefulServer(config, gateway)
    # uvicorn drains, puts back the handlers that it found, and raises the signal again: then the work is done.
    end_on_signals(lambda: server.exit_code)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(server, gateway, where))
    sys.exit(server.exit_code)


async def _serve(server: GracefulServer, gateway: Gateway, where: socket.socket) -> None:
    async with gateway:  # what cannot be opened is known before anything is served, and said without a trace
        await server.serve(sockets=[where])
