"""What extensions are told, and where they may add to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.extensions.headers import EditableHeaders
from gateway.server.principal import Principal
from gateway.server.request import Client

__all__ = ["Answer", "Fetch", "Fetched", "Plan", "Request"]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One operation of a client.

    Attributes:
        kind: what it is.
        name: of the operation, None when it has none.
        digest: hash of the document, by which logs name it.
        variables: what the client gave for them, checked; not to be changed.
        principal: who asks, verified.
        client: the program that asks, as far as it says.
        headers: those of the client by lower-case name; over a WebSocket with the texts of ``connection_init``.
        context: where the hooks of all extensions may keep what belongs to this operation.
    """

    kind: Literal["query", "mutation", "subscription"]
    name: str | None
    digest: str
    variables: Mapping[str, Any] = field(repr=False)
    principal: Principal
    client: Client
    headers: Mapping[str, str] = field(repr=False)
    context: dict[Any, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """How an operation will be answered.

    Attributes:
        fetches: requests to subgraphs at most; of a subscription the stream, and what each event asks for besides.
        subgraphs: who is asked, each once, in the order of the plan.
        cost: what the operation may cost by ``demand``, None where that is off.
    """

    fetches: int
    subgraphs: tuple[str, ...]
    cost: int | None


class Fetch:
    """One request to a subgraph that is about to leave.

    Attributes:
        subgraph: who is asked.
        body: JSON of the request, to be read and signed.
        headers: what is sent with it; may be changed.
        is_mutation: whether it changes something.
        is_stream: whether events follow instead of one answer.
    """

    __slots__ = ("_request", "body", "headers", "is_mutation", "is_stream", "subgraph")

    def __init__(
        self,
        subgraph: str,
        body: bytes,
        headers: EditableHeaders,
        request: Request | None,
        *,
        is_mutation: bool,
        is_stream: bool,
    ) -> None:
        self.subgraph = subgraph
        self.body = body
        self.headers = headers
        self.is_mutation = is_mutation
        self.is_stream = is_stream
        self._request = request

    @property
    def request(self) -> Request:
        """The operation that it belongs to.

        Raises:
            LookupError: the extension has ``sees_callers = False``, so that one fetch may serve several.
        """
        if self._request is None:
            raise LookupError("an extension with sees_callers = False is not told whose operation a fetch belongs to")
        return self._request


@dataclass(frozen=True, slots=True)
class Fetched:
    """How a request to a subgraph ended.

    Attributes:
        seconds: from after the last ``fetch`` hook to the answer, or to the end of the stream; retries included.
        status: HTTP status of the answer, None when there was none.
        code: what went wrong (``docs/errors``), ``cancelled`` when nobody waited any more; None when an answer came.
    """

    seconds: float
    status: int | None
    code: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a client is about to get.

    Attributes:
        data: the data, not to be changed.
        errors: the errors as the client gets them, not to be changed.
        extensions: what the answer says of itself; may be added to, with JSON values.
        headers: headers of the HTTP answer; may be added. They reach clients where the answer is one whole of its own:
            not with events, parts or batches, and not over a WebSocket.
    """

    data: Mapping[str, Any] | None = field(repr=False)
    errors: Sequence[Mapping[str, Any]]
    extensions: dict[str, Any]
    headers: EditableHeaders
