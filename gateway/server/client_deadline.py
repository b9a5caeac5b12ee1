"""What a client says of how long it waits: it can shorten the time of its operation and never lengthen it."""

from __future__ import annotations

from dataclasses import replace

from gateway.server.request import RequestContext

__all__ = ["ClientDeadline"]

_MAX_DIGITS = 9
"""Eleven days; a number with more digits says nothing that bounds anything."""


class ClientDeadline:
    """Reads one header, which is not passed on: subgraphs are told what is left when they are asked."""

    def __init__(self, header: str) -> None:
        self._header = header

    def take(self, context: RequestContext) -> tuple[RequestContext, float | None]:
        """Return the context without the header, and the seconds that the client waits; None when it does not say."""
        found = next((value for name, value in context.headers if name == self._header), None)
        if found is None:
            return context, None
        passed = tuple(item for item in context.headers if item[0] != self._header)
        is_number = found.isascii() and found.isdigit() and len(found) <= _MAX_DIGITS
        return replace(context, headers=passed), int(found) / 1000 if is_number else None
