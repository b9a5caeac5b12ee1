"""Files of a client on their way to one subgraph, by the multipart request specification; never held as a whole.

https://github.com/jaydenseric/graphql-multipart-request-spec

The client's body is ``operations``, ``map``, then the files. Only the first two are read. The subgraph gets its own
operations, the client's map, and the files as the client's bytes, in the boundary that the client chose.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.errors import ErrorCode, SubgraphError

__all__ = ["Upload"]

Place = tuple[str | int, ...]
"""The way to a file in the variables."""


@dataclass(slots=True, eq=False)
class Upload:
    """The files of one request. They can be sent once, since they are not kept.

    Attributes:
        boundary: what separates the parts.
        file_map: the client's ``map`` as it came.
        places: where files stand in the variables.
        rest: the client's body after the delimiter that follows ``map``.
        refusal: why the body was not read to its end, None while nothing is wrong with it.
    """

    boundary: bytes
    file_map: bytes
    places: tuple[Place, ...]
    rest: AsyncIterator[bytes]
    refusal: str | None = None
    _taken_by: str | None = field(default=None, init=False)

    @property
    def content_type(self) -> str:
        """Media type of the body that the subgraph gets."""
        return f'multipart/form-data; boundary="{self.boundary.decode("latin-1")}"'

    def belongs_to(self, body: bytes) -> bool:
        """Tell whether a request to a subgraph uses a variable that holds files."""
        variables = orjson.loads(body).get("variables") or {}
        return any(place[0] in variables for place in self.places)

    def take(self, subgraph: str, body: bytes) -> AsyncGenerator[bytes, None]:
        """Return the body for the subgraph in pieces.

        Raises:
            SubgraphError: another request took the files, or the request does not use all of them.
        """
        operations = orjson.loads(body)
        variables = operations.get("variables") or {}
        if self._taken_by is not None or not all(place[0] in variables for place in self.places):
            message = (
                f"files of one request go to one field of one subgraph; those for subgraph {subgraph} were not sent: "
                "send the others in a request of their own"
            )
            raise SubgraphError(ErrorCode.UPLOAD_REFUSED, message, subgraph=subgraph, retryable=False)
        self._taken_by = subgraph
        for place in self.places:
            _set(variables, place, None)
        return self._pieces(orjson.dumps(operations))

    def fault(self, subgraph: str) -> SubgraphError | None:
        """Return why the subgraph did not get the whole body, None when it is not the client's doing."""
        if self.refusal is None:
            return None
        return SubgraphError(ErrorCode.UPLOAD_REFUSED, self.refusal, subgraph=subgraph, retryable=False)

    async def _pieces(self, operations: bytes) -> AsyncGenerator[bytes, None]:
        head = b'\r\ncontent-disposition: form-data; name="%b"\r\ncontent-type: application/json\r\n\r\n'
        delimiter = b"--" + self.boundary
        start = delimiter + head % b"operations" + operations + b"\r\n"
        yield start + delimiter + head % b"map" + self.file_map + b"\r\n" + delimiter
        async for piece in self.rest:
            if piece:
                yield piece


def _set(variables: Any, place: Place, value: Any) -> None:
    for step in place[:-1]:
        variables = variables[step]
    variables[place[-1]] = value
