"""Which program asks: what it calls itself, and its address behind the proxies that are trusted.

Each trusted proxy appends the address that it saw to ``x-forwarded-for``. So the list is read from its end: addresses
of trusted proxies are skipped, and the first other one is the client. What stands before it may be made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from gateway.server.request import Client

__all__ = ["ClientReader"]

MAX_NAME_CHARS = 100
"""A longer name of a client is cut; it only fills logs and labels."""

MAX_HOPS = 20
"""Proxies that are followed back; a longer list is somebody's game."""

_FORWARDED = b"x-forwarded-for"


class ClientReader:
    """Reads the client of an ASGI scope.

    Args:
        trusted: networks of the proxies whose word is taken.
        name_headers: headers that carry a client's name, the first one found counts.
    """

    def __init__(self, trusted: tuple[IPv4Network | IPv6Network, ...] = (), name_headers: tuple[str, ...] = ()) -> None:
        self._trusted = trusted
        self._names = tuple(name.lower().encode() for name in name_headers)

    def __call__(self, scope: Mapping[str, Any]) -> Client:
        """Return the client of a connection or request; nothing is read before somebody looks at it."""
        return _ScopeClient(self, scope)

    def name(self, scope: Mapping[str, Any]) -> str | None:
        """Return what the client of a scope calls itself."""
        for wanted in self._names:
            for name, value in scope["headers"]:
                if name == wanted:
                    return value.decode("latin-1")[:MAX_NAME_CHARS] or None
        return None

    def address(self, scope: Mapping[str, Any]) -> str | None:
        """Return the address of the client of a scope."""
        peer = scope.get("client")
        if peer is None:
            return None
        address = str(peer[0])
        return self._behind_proxies(address, scope["headers"]) if self._trusted else address

    def _behind_proxies(self, peer: str, headers: list[tuple[bytes, bytes]]) -> str:
        if not self._is_trusted(peer):
            return peer
        given = b",".join(value for name, value in headers if name == _FORWARDED).decode("latin-1")
        found = peer
        for hop in reversed(given.split(",")[-MAX_HOPS:]):
            address = _read(hop)
            if address is None:
                break
            found = str(address)
            if not self._is_trusted(found):
                break
        return found

    def _is_trusted(self, text: str) -> bool:
        address = _read(text)
        return address is not None and any(address in network for network in self._trusted)


class _ScopeClient:
    __slots__ = ("_reader", "_scope")

    def __init__(self, reader: ClientReader, scope: Mapping[str, Any]) -> None:
        self._reader = reader
        self._scope = scope

    @property
    def name(self) -> str | None:
        return self._reader.name(self._scope)

    @property
    def address(self) -> str | None:
        return self._reader.address(self._scope)


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address as proxies write it: also with a port, IPv6 in brackets."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
