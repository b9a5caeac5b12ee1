"""The address of a subgraph as HTTP/1.1 needs it: where to connect, how, and the head of each request."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import TypedDict
from urllib.parse import urlsplit

from gateway.errors import ErrorCode, SubgraphError
from gateway.transport.tls import SubgraphTlsContext

__all__ = ["MAX_HEADER_BYTES", "Http1Endpoint"]

MAX_HEADER_BYTES = 64 * 1024
"""Most bytes of the headers of an answer."""


class _Where(TypedDict):
    """Arguments of what opens a connection."""

    host: str
    port: int
    ssl: ssl.SSLContext | None
    server_hostname: str | None


class Http1Endpoint:
    """One address.

    Args:
        accept: media types of the answer.
        tls: how the subgraph is believed; needed for ``https``, unused for ``http``.
    """

    def __init__(
        self, subgraph: str, url: str, accept: str, tls: SubgraphTlsContext | None = None, method: str = "POST"
    ) -> None:
        address = urlsplit(url)
        is_secure = address.scheme == "https"
        self.subgraph = subgraph
        self._tls = tls if is_secure else None
        self._host = address.hostname or "127.0.0.1"
        self._port = address.port or (443 if is_secure else 80)
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        netloc = address.netloc.rpartition("@")[2]
        self._head = (
            f"{method} {target} HTTP/1.1\r\nhost: {netloc}\r\naccept: {accept}\r\nuser-agent: crossdock-gateway\r\n"
        ).encode("latin-1")

    @property
    def where(self) -> _Where:
        """Arguments of what opens a connection."""
        tls = self._tls
        context = None if tls is None else tls.context
        name = None if tls is None else tls.server_name or self._host
        return {"host": self._host, "port": self._port, "ssl": context, "server_hostname": name}

    def head(self, headers: Iterable[tuple[str, str]]) -> list[bytes]:
        """Return the pieces of a request before the headers of its body.

        Raises:
            SubgraphError: a header holds a line break, and would be two.
        """
        parts = [self._head]
        for name, value in headers:
            line = f"{name}: {value}\r\n"
            if line.count("\n") > 1 or line.count("\r") > 1 or "\0" in line:
                raise SubgraphError(
                    ErrorCode.SUBGRAPH_UNAVAILABLE,
                    f"the header {name[:40]!r} holds a line break and is not sent to subgraph {self.subgraph}",
                    subgraph=self.subgraph,
                    retryable=False,
                )
            parts.append(line.encode("latin-1", "replace"))
        return parts

    def unreachable(self, error: Exception) -> SubgraphError:
        """Return what to say of a connection that could not be made."""
        name = self.subgraph
        if not isinstance(error, ssl.SSLError):
            return SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, f"subgraph {name} cannot be reached", subgraph=name)
        if isinstance(error, ssl.SSLCertVerificationError):
            message = f"the certificate of subgraph {name} is not accepted: {error.verify_message}"
            return SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=name, retryable=False)
        message = f"no secure connection to subgraph {name} can be made: {error.reason}"
        return SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=name)

    def refused(self, error: ssl.SSLError) -> SubgraphError:
        """Return what to say of a subgraph that ended a secure connection after it was made."""
        if isinstance(error, ssl.SSLEOFError):
            message = f"the connection to subgraph {self.subgraph} broke"
            return SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self.subgraph)
        message = f"subgraph {self.subgraph} refused the secure connection: {error.reason}"
        return SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self.subgraph, retryable=False)
