"""Where and what the gateway serves."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Literal

from pydantic import Field, IPvAnyNetwork

from gateway.config.headers import HeaderName, HeaderValue
from gateway.config.section import Duration, Section
from gateway.config.tls import ServerTls

__all__ = ["ExampleTab", "ServerSettings", "is_loopback"]


class ExampleTab(Section):
    """An operation that GraphiQL offers in a tab."""

    title: str
    """Name of the tab."""
    query: str
    """Operation text."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """Variables as JSON."""


class ServerSettings(Section):
    """Where and what the server serves."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=4000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    workers: int = Field(default=1, ge=1, le=128)
    """Processes that serve, one per core at most; each has its own plans, counters in memory and subscriptions, and
    ``/metrics`` of any one tells the sum. One that ends is started anew. Only for ``crossdock gateway``."""
    tls: ServerTls | None = None
    """Certificate of this address; without it the server speaks plain HTTP."""
    path: str = Field(default="/graphql", pattern=r"^/[^?#]+$")
    """Path of the GraphQL endpoint, for HTTP, SSE and WebSocket alike."""
    graphiql: bool = True
    """Serve GraphiQL to browsers at ``/``."""
    examples: tuple[ExampleTab, ...] = ()
    """Operations that GraphiQL opens with."""
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()
    """Networks of proxies before the gateway, whose ``x-forwarded-for`` is believed. Without any the client is whoever
    the connection comes from."""
    client_name_headers: tuple[str, ...] = ("apollographql-client-name", "graphql-client-name")
    """Headers in which clients say what they are called."""
    response_headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """Headers of every answer, such as ``strict-transport-security``."""
    keep_alive: Duration = 5.0
    """Time for which a connection is kept open after an answer, for the next request."""
    stop_notice: Duration | None = None
    """Time for which a gateway that was asked to stop goes on as before, while ``/health/ready`` answers 503 already:
    load balancers send requests elsewhere meanwhile. null ends streams at once."""
    stop_timeout: Duration = 10.0
    """Longest wait for requests under way once the gateway stops; what takes longer is answered with STOPPING, and an
    answer that its client has not read by then is cut off. Leave it less than what starts the gateway waits for its end
    (30 s in Kubernetes), together with ``stop_notice``."""
    watch_settings: Duration | None = None
    """Pause between two looks at time and size of the settings file; null looks at it on SIGHUP only. A changed one is
    checked as a whole and taken over: what is under way ends with the old settings. Only ``host``,
    ``port``, ``tls`` and ``workers`` of this section need a restart; a file in which they have changed is refused."""
    compress_from_bytes: int | None = Field(default=4096, ge=1)
    """Size from which an answer is compressed for clients that accept it (``Accept-Encoding``, by its weights). Answers
    in parts (``@defer``) are from their first part on. null for never."""
    encodings: tuple[Literal["zstd", "br", "gzip"], ...] = ("zstd", "br", "gzip")
    """How answers are compressed; between codings that a client likes as much the first one here is taken."""
    compress_subscriptions: bool = False
    """Compress subscriptions over HTTP, too, with gzip alone: 32 KiB of memory for each, and work for each event that
    clients do not share."""


def is_loopback(host: str) -> bool:
    """Tell whether an address only reaches this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
