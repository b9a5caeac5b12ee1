"""Read the start of an upload: the operation and its map. The files stay in the connection until a subgraph takes them.

https://github.com/jaydenseric/graphql-multipart-request-spec
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from gateway.errors import ErrorCode, RequestError
from gateway.policies.operation_limits import exceeded
from gateway.server.http_streams import Receive
from gateway.server.request import GraphQLRequest, read_payload
from gateway.transport.upload import Place, Upload

__all__ = ["read_upload"]

MAX_FILES = 100
"""Places for files in one request; each costs a walk through the variables."""

_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="?([^";\r\n]*)"?', re.IGNORECASE)


async def read_upload(content_type: str, receive: Receive, max_head_bytes: int, max_bytes: int) -> GraphQLRequest:
    """Return the operation of an upload, with its files still to come.

    Args:
        content_type: with the boundary.
        receive: gives the body.
        max_head_bytes: largest ``operations`` and ``map`` together.
        max_bytes: largest body; what is over it ends the upload when it is reached.

    Raises:
        RequestError: BAD_REQUEST naming what is wrong; LIMIT_EXCEEDED for a head that is too large.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise _bad("the Content-Type names no boundary")
    boundary = (found[1] or found[2]).encode("latin-1")
    body = _Body(receive, max_bytes)
    fields, rest = await _read_head(body, b"\r\n--" + boundary, max_head_bytes)
    operations, file_map = _json("operations", fields[b"operations"]), _json("map", fields[b"map"])
    if isinstance(operations, list):
        raise _bad("a batch cannot have files; send one operation")
    if not isinstance(file_map, dict):
        raise _bad("map must be an object that names for each file its places in the variables")
    request = read_payload(operations)
    variables = request.variables or {}
    places = tuple(_place(variables, path) for path in _paths(file_map))
    upload = Upload(boundary, fields[b"map"], places, body.after(rest))
    body.upload = upload
    return replace(request, variables=variables, upload=upload)


async def _read_head(body: _Body, delimiter: bytes, max_bytes: int) -> tuple[dict[bytes, bytes], bytes]:
    """Return the fields ``operations`` and ``map``, and what was read after the delimiter that follows them."""
    fields: dict[bytes, bytes] = {}
    read = b"\r\n"
    is_inside = False
    while True:
        part, separator, after = read.partition(delimiter)
        if not separator:
            if len(read) > max_bytes:
                message = f"operations and map of an upload are larger than {max_bytes} bytes"
                raise exceeded("max_request_bytes", message, max_bytes, http_status=413)
            piece = await body.piece()
            if piece is None:
                raise _bad("the body ends before operations and map are complete")
            read += piece
            continue
        if is_inside:
            name, content = _field(part)
            if name not in {b"operations", b"map"}:
                raise _bad("operations and map must come before the files")
            fields[name] = content
            if len(fields) == 2:
                return fields, after
        is_inside, read = True, after


def _field(part: bytes) -> tuple[bytes, bytes]:
    head, separator, content = part.partition(b"\r\n\r\n")
    name = _NAME.search(head)
    if not separator or name is None:
        raise _bad("a part has no name")
    return name[1], content


def _json(name: str, text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _bad(f"{name} is not valid JSON: {error}") from error


def _paths(file_map: Mapping[str, Any]) -> Iterator[str]:
    count = 0
    for paths in file_map.values():
        for path in paths if isinstance(paths, list) else [None]:
            count += 1
            if not isinstance(path, str) or not path.startswith("variables."):
                raise _bad('map must name places in the variables, such as "variables.file"')
            if count > MAX_FILES:
                message = f"an upload has at most {MAX_FILES} places for files; send several requests"
                raise exceeded("upload_places", message, MAX_FILES)
            yield path


def _place(variables: dict[str, Any], path: str) -> Place:
    """Return the way to a file, and put something in its place that counts as a value until it is sent."""
    place: list[str | int] = []
    holder: Any = variables
    steps = path.split(".")[1:]
    for number, step in enumerate(steps):
        key: str | int = int(step) if isinstance(holder, list) and step.isascii() and step.isdigit() else step
        is_there = (isinstance(holder, dict) and key in holder) or (
            isinstance(holder, list) and isinstance(key, int) and key < len(holder)
        )
        if not is_there:
            raise _bad(f"map names {path[:100]}, which the variables do not have; put null there")
        place.append(key)
        if number == len(steps) - 1:
            holder[key] = path
        else:
            holder = holder[key]
    return tuple(place)


class _Body:
    """The client's body, piece by piece."""

    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self._receive = receive
        self._left = max_bytes
        self._max_bytes = max_bytes
        self._is_over = False
        self.upload: Upload | None = None

    async def piece(self) -> bytes | None:
        """Return the next piece, None at the end."""
        if self._is_over:
            return None
        message = await self._receive()
        if message["type"] != "http.request":
            self._refuse("the client went away before it had sent all files")
        self._is_over = not message.get("more_body", False)
        found: bytes = message.get("body", b"")
        self._left -= len(found)
        if self._left < 0:
            self._refuse(f"the upload is larger than {self._max_bytes} bytes")
        return found

    def _refuse(self, why: str) -> None:
        if self.upload is not None:
            self.upload.refusal = why
        raise RequestError(ErrorCode.UPLOAD_REFUSED, why, http_status=413)

    async def after(self, start: bytes) -> AsyncGenerator[bytes, None]:
        """Yield what was read already and then the rest."""
        yield start
        while (piece := await self.piece()) is not None:
            yield piece


def _bad(message: str) -> RequestError:
    return RequestError(ErrorCode.BAD_REQUEST, message)
