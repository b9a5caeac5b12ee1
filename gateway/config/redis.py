"""The Redis that the processes of one gateway share."""

from __future__ import annotations

from pydantic import Field

from gateway.config.section import Duration, Section

__all__ = ["RedisSettings"]


class RedisSettings(Section):
    """A Redis for what policies share between processes. When it is slow or gone, requests go on without it."""

    url: str = Field(pattern=r"^(rediss?|unix)://", repr=False)
    """Address, with the password if there is one; from the environment."""
    timeout: Duration = 0.1
    """Time for one command; then the request goes on without the answer."""
    prefix: str = "crossdock:"
    """What the names of all keys begin with."""
