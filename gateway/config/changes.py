"""Which settings may change while the gateway runs, and which ask for a restart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.config.models import GatewaySettings
from gateway.errors import ConfigError

__all__ = ["CHANGEABLE", "check_change"]

CHANGEABLE = ("headers", "limits", "rates.rules")
"""Sections and keys whose new values are taken over by a running gateway."""

_FIXED = ("limits.max_request_bytes",)
"""Keys within these that the server was started with."""


def check_change(old: GatewaySettings, new: GatewaySettings) -> tuple[str, ...]:
    """Return the keys that differ.

    Raises:
        ConfigError: some of them ask for a restart; the message names all of these.
    """
    changed = tuple(_changed(old.model_dump(), new.model_dump(), ""))
    refused = [key for key in changed if not _is_changeable(key)]
    if refused:
        named = ", ".join(refused)
        accepted = ", ".join(CHANGEABLE)
        message = f"{named} cannot change while the gateway runs: start it again; what can change is {accepted}"
        raise ConfigError(f"{message}, but not {', '.join(_FIXED)}")
    return changed


def _is_changeable(key: str) -> bool:
    return key not in _FIXED and any(key == item or key.startswith(f"{item}.") for item in CHANGEABLE)


def _changed(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    for key in dict.fromkeys((*old, *new)):
        name = f"{where}.{key}" if where else str(key)
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _changed(before, after, name)
        elif before != after:
            yield name
