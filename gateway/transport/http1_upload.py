"""Requests with files: sent as they come from the client, on a connection of their own."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import aclosing

import httptools

from gateway.errors import ErrorCode, RequestError, SubgraphError
from gateway.transport.base import SubgraphRequest, SubgraphResponse
from gateway.transport.http1_endpoint import Http1Endpoint
from gateway.transport.http1_stream import StreamedAnswer, streamed_exchange
from gateway.transport.limits import TransportLimits
from gateway.transport.upload import Upload

__all__ = ["send_upload"]


async def send_upload(
    endpoint: Http1Endpoint, request: SubgraphRequest, upload: Upload, limits: TransportLimits
) -> SubgraphResponse:
    """Send a request with files as they come and return its answer.

    Raises:
        SubgraphError: no answer came, or the files did not come as they should.
    """
    name = endpoint.subgraph
    head = endpoint.head((*request.headers, ("content-type", upload.content_type)))
    timeout_s = limits.timeout_s if request.timeout_s is None else min(limits.timeout_s, request.timeout_s)
    try:
        async with (
            asyncio.timeout(timeout_s),
            aclosing(upload.take(name, request.body)) as pieces,
            streamed_exchange(endpoint, head, pieces, limits.connect_timeout_s) as answer,
        ):
            return await _read(answer, limits.max_body_bytes)
    except RequestError as error:  # the client's body is at fault
        raise upload.fault(name) or _error(name, ErrorCode.UPLOAD_REFUSED, f"did not get all: {error}") from error
    except TimeoutError as error:
        raise _error(name, ErrorCode.SUBGRAPH_TIMEOUT, "did not answer in time") from error
    except ssl.SSLError as error:
        raise endpoint.refused(error) from error
    except OSError as error:
        raise _error(name, ErrorCode.SUBGRAPH_UNAVAILABLE, "broke the connection") from error
    except httptools.HttpParserError as error:
        raise _error(name, ErrorCode.SUBGRAPH_MALFORMED, "sent an answer that is not HTTP") from error
    except OverflowError as error:
        what = f"answered more than {limits.max_body_bytes} bytes, or too large headers"
        raise _error(name, ErrorCode.SUBGRAPH_TOO_LARGE, what) from error


async def _read(answer: StreamedAnswer, max_bytes: int) -> SubgraphResponse:
    body = bytearray()
    async with aclosing(answer.pieces()) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) > max_bytes:
                raise OverflowError
    return SubgraphResponse(answer.status, answer.content_type, bytes(body))


def _error(subgraph: str, code: ErrorCode, what: str) -> SubgraphError:
    """Files are not kept, so that none of their failures can be tried again."""
    return SubgraphError(code, f"subgraph {subgraph} {what}", subgraph=subgraph, retryable=False)
