"""Open extensions before the first operation, and close them after the last one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from gateway.errors import ConfigError
from gateway.extensions.extension import Extension

__all__ = ["Lifecycle"]

CLOSE_S = 5.0
"""Seconds that an extension may take to close; a gateway that stops does not wait longer for any of them."""

_log = logging.getLogger("gateway")


class Lifecycle:
    """Extensions that are opened and closed together, each once."""

    def __init__(self, extensions: Sequence[Extension]) -> None:
        self._extensions = tuple(extensions)
        self._opened: list[Extension] | None = None

    async def open(self) -> None:
        """Open them in their order.

        Raises:
            ConfigError: one cannot be opened; those before it are closed again.
        """
        if self._opened is not None:
            return
        self._opened = []
        for extension in self._extensions:
            try:
                await extension.open()
            except Exception as error:
                await self.aclose()
                said = f"{type(error).__name__}: {error}"
                raise ConfigError(f"extension {extension.name} cannot be opened: {said}") from error
            self._opened.append(extension)

    async def aclose(self) -> None:
        """Close what is open, the last one first; one that fails is logged and keeps no other open."""
        opened, self._opened = self._opened or [], []
        for extension in reversed(opened):
            try:
                async with asyncio.timeout(CLOSE_S):
                    await extension.close()
            except Exception:  # noqa: BLE001 - the others have to be closed too
                _log.exception("extension %s failed to close", extension.name)
