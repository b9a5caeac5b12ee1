"""Takes what subgraphs send for subscriptions by HTTP callback."""

from __future__ import annotations

from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import RequestError
from gateway.server.body import read_whole
from gateway.transport.callback import PROTOCOL, Callbacks

__all__ = ["Relay", "callback_route"]

_HEADERS = dict((PROTOCOL,))


class Relay(Protocol):
    """A way to the other processes behind the same address."""

    async def reaches(self, process: str) -> bool:
        """Tell whether there is such a process, and a way to it."""
        ...

    async def send(self, process: str, subscription: str, body: bytes) -> int:
        """Have it take a message and return the HTTP status that answers it."""
        ...


def callback_route(path: str, callbacks: Callbacks, max_bytes: int, relay: Relay) -> Route:
    """Return the route below ``path``."""

    async def is_known(process: str, subscription: str) -> bool:
        if process == callbacks.process:
            return callbacks.knows(subscription)
        return await relay.reaches(process)

    async def take(request: Request) -> Response:
        process, subscription = request.path_params["process"], str(request.path_params["subscription"])
        if not await is_known(process, subscription):  # and the body of a stranger stays unread
            return Response(status_code=404, headers=_HEADERS)
        try:
            body = await read_whole(request.scope["headers"], request.receive, max_bytes)
        except RequestError as error:
            return Response(status_code=error.http_status, headers=_HEADERS)
        if body is None:
            return Response(status_code=400, headers=_HEADERS)
        if process == callbacks.process:
            status = await callbacks.deliver(subscription, body)
        else:
            status = await relay.send(process, subscription, body)
        return Response(status_code=status, headers=_HEADERS)

    return Route(f"{path}/{{process}}/{{subscription:uuid}}", take, methods=["POST"])
