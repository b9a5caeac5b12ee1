"""Which failures of a system mean that it gives no usable answer at all."""

from __future__ import annotations

from systems.errors import AuthFailed, ConnectorError, RateLimited, Unavailable, Unexpected

__all__ = ["is_outage"]


def is_outage(error: ConnectorError) -> bool:
    """Return whether the system gave no usable answer; a refusal or a missing record is an answer."""
    return isinstance(error, AuthFailed | RateLimited | Unavailable | Unexpected)
