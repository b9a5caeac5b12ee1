"""Ask one subgraph whether it is there: by a path of its own, or by the query that every GraphQL server answers.

Each probe has a connection of its own, so that it also finds out whether one can be made.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import httptools
import orjson

from gateway.config import SubgraphHealth, SubgraphTls
from gateway.errors import SubgraphError
from gateway.transport.http1_endpoint import Http1Endpoint
from gateway.transport.http1_stream import StreamedAnswer, streamed_exchange
from gateway.transport.tls import SubgraphTlsContext

__all__ = ["HealthProbe"]

_QUERY = b'{"query":"{__typename}"}'

MAX_ANSWER_BYTES = 64 * 1024
"""Most of an answer to a probe that is read; both kinds are short."""


class HealthProbe:
    """Probes one address.

    Args:
        url: GraphQL address of the subgraph.
        tls: how it is believed; None for the authorities of the machine.
    """

    def __init__(self, subgraph: str, url: str, settings: SubgraphHealth, tls: SubgraphTlsContext | None) -> None:
        tls = tls or (SubgraphTlsContext(subgraph, SubgraphTls()) if url.startswith("https:") else None)
        self._timeout_s = settings.timeout
        self._asks_path = settings.path is not None
        if settings.path is None:
            self._endpoint = Http1Endpoint(subgraph, url, "application/json", tls)
        else:
            scheme, _, rest = url.partition("://")
            address = f"{scheme}://{rest.partition('/')[0]}{settings.path}"
            self._endpoint = Http1Endpoint(subgraph, address, "*/*", tls, method="GET")

    async def check(self) -> str | None:
        """Return None when the subgraph is there, else what is wrong."""
        head = self._endpoint.head(() if self._asks_path else (("content-type", "application/json"),))
        body = b"" if self._asks_path else _QUERY
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                streamed_exchange(self._endpoint, head, body, self._timeout_s) as answer,
            ):
                return await self._judge(answer)
        except SubgraphError as error:
            return error.message
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except OSError:
            return "the connection broke"
        except (httptools.HttpParserError, OverflowError):
            return "the answer is not HTTP, or too large"

    async def _judge(self, answer: StreamedAnswer) -> str | None:
        if not 200 <= answer.status < 300:
            return f"HTTP status {answer.status}"
        if self._asks_path:
            return None
        body = bytearray()
        async with aclosing(answer.pieces()) as pieces:
            async for piece in pieces:
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    raise OverflowError
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            return "the answer is not JSON"
        is_graphql = isinstance(found, dict) and ("data" in found or "errors" in found)
        return None if is_graphql else "the answer is not that of a GraphQL server"
