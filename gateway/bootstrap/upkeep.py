"""Keep a gateway that serves at what its settings file and the source of its supergraph say.

1. SIGHUP reads the settings anew, and so does a change of their file where the settings want it to be watched.
2. What they say is checked as a whole and made ready; only then is it put in force. What cannot be is logged, and what
   holds goes on.
3. Another source of the supergraph is read with the settings that name it, so that both are put in force together.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.bootstrap.gateway import Gateway
from gateway.config import GatewaySettings
from gateway.errors import GatewayError
from gateway.server.reload import Reloader, SupergraphSource
from gateway.transport.download import DownloadFailed

__all__ = ["Origin", "Upkeep"]

_log = logging.getLogger("gateway")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where settings come from.

    Attributes:
        read: returns the settings as they are now, or raises ConfigError.
        path: their file, None when there is none to watch.
        source_of: returns where settings take the supergraph from, None when that does not depend on them.
    """

    read: Callable[[], GatewaySettings]
    path: Path | None = None
    source_of: Callable[[GatewaySettings], SupergraphSource | None] | None = None


class Upkeep:
    """Works from the start of the server to its end.

    Args:
        gateway: what is kept up.
        source: where its supergraph came from, None when that stays as it is.
        origin: where its settings came from, None when these stay as they are.
    """

    def __init__(self, gateway: Gateway, source: SupergraphSource | None, origin: Origin | None = None) -> None:
        self._gateway = gateway
        self._source = source
        self._origin = origin
        self._polling: asyncio.Task[None] | None = None
        self._polled: tuple[SupergraphSource, float] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._seen: tuple[int, int] | None = None if origin is None else _mark(origin.path)
        self._looking = asyncio.Lock()
        gateway.asgi.on_start(self._start)

    async def _start(self) -> None:
        self._follow()
        if hasattr(signal, "SIGHUP"):  # without anything to look at it must not end the process, as it would by itself
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, lambda: self._gateway.spawn(self.look_again()))

    async def look_again(self) -> None:
        """Take over what the settings say now, and look whether the supergraph has changed."""
        async with self._looking:
            if self._origin is not None:
                await self._read_settings(self._origin)
            if self._source is not None and self._gateway.settings.supergraph.reload:
                await self._reloader(self._source).look()

    async def _read_settings(self, origin: Origin) -> None:
        try:
            self._seen = _mark(origin.path)
            settings = await asyncio.to_thread(origin.read)
            source, text = self._source, None
            if origin.source_of is not None and _source_keys(settings) != _source_keys(self._gateway.settings):
                source = origin.source_of(settings)
                text = None if source is None else await source.changed()
            changed = await self._gateway.change_settings(settings, text)
        except (GatewayError, DownloadFailed, OSError, ValueError) as error:
            _log.error("the settings are not replaced, the old ones hold: %s", error)
            self._gateway.reloaded("settings", has_failed=True)
        except Exception:  # noqa: BLE001 - a bug must not end what serves
            _log.exception("the settings are not replaced, the old ones hold")
            self._gateway.reloaded("settings", has_failed=True)
        else:
            self._gateway.reloaded("settings", has_failed=False)
            _log.warning("settings taken over: %s", ", ".join(changed) or "none has changed")
            self._source = source
            self._follow()

    def _follow(self) -> None:
        """Look at source and file as often as the settings want it now."""
        settings = self._gateway.settings
        wanted = None
        if self._source is not None and settings.supergraph.reload:
            wanted = self._source, settings.supergraph.poll
        if wanted != self._polled:
            if self._polling is not None:
                self._polling.cancel()
            self._polling = None if wanted is None else self._gateway.spawn(self._reloader(*wanted).run())
            self._polled = wanted
        is_watching = self._watching is not None and not self._watching.done()
        if settings.server.watch_settings is not None and self._origin is not None and not is_watching:
            self._watching = self._gateway.spawn(self._watch())

    def _reloader(self, source: SupergraphSource, poll_s: float = 0.0) -> Reloader:
        return Reloader(source, self._gateway.reload, poll_s, partial(self._gateway.reloaded, "supergraph"))

    async def _watch(self) -> None:
        """Look at the file of the settings again and again, until they say otherwise."""
        while (pause_s := self._gateway.settings.server.watch_settings) is not None:
            await asyncio.sleep(pause_s)
            found = await asyncio.to_thread(_mark, self._origin.path if self._origin is not None else None)
            if found is not None and found != self._seen:
                await self.look_again()


def _mark(path: Path | None) -> tuple[int, int] | None:
    """Return by what another version of a file is known; None while it cannot be read."""
    try:
        found = None if path is None else path.stat()
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size)


def _source_keys(settings: GatewaySettings) -> tuple[object, ...]:
    """Return what decides from where the supergraph comes."""
    given = settings.supergraph
    addresses = {name: own.url for name, own in settings.subgraphs.items()} if given.directory is not None else None
    return given.file, given.url, given.directory, given.timeout, addresses
