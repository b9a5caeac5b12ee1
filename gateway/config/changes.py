"""Which settings differ between two versions, and which of them a running gateway cannot take over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.config.models import GatewaySettings
from gateway.errors import ConfigError

__all__ = ["FIXED", "changed_keys", "check_change"]

FIXED = ("server.host", "server.port", "server.tls", "server.workers")
"""Keys that the server was started with. All others are taken over."""


def check_change(old: GatewaySettings, new: GatewaySettings) -> tuple[str, ...]:
    """Return the keys that differ.

    Raises:
        ConfigError: some of them ask for a restart; the message names all of these.
    """
    changed = changed_keys(old.model_dump(), new.model_dump())
    refused = [key for key in changed if any(key == item or key.startswith(f"{item}.") for item in FIXED)]
    if refused:
        raise ConfigError(
            f"{', '.join(refused)} cannot change while the gateway runs: start it again, or put the old value back; "
            "until then no other change of the settings is taken over either"
        )
    return changed


def changed_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys, with dots between their parts, whose values differ."""
    return tuple(_changed(old, new, ""))


def _changed(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    for key in dict.fromkeys((*old, *new)):
        name = f"{where}.{key}" if where else str(key)
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _changed(before, after, name)
        elif before != after:
            yield name
