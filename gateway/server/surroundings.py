"""Check what comes with an operation, and make the surroundings in which its plan runs."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from gateway.executor import ExecutionContext
from gateway.server.claims import ClaimsSigner
from gateway.server.client_deadline import ClientDeadline
from gateway.server.idempotency import read_key
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.server.stream_sharing import StreamSharing
from gateway.transport.with_upload import UploadTransports

if TYPE_CHECKING:
    from gateway.server.prepared import Prepared

__all__ = ["Surroundings"]


class Surroundings:
    """What is the same for all operations of one gateway.

    Args:
        claims: signs who asks for subgraphs, None where they are not told.
        timeout_s: seconds for all fetches of an operation or event together, None for no such bound.
        retries_keyed: whether mutations with keys may be sent again.
        sharing: who may share a subscription's stream.
        client_deadline: reads how long a client waits, None where it is not asked.
    """

    def __init__(
        self,
        claims: ClaimsSigner | None = None,
        timeout_s: float | None = None,
        sharing: StreamSharing | None = None,
        client_deadline: ClientDeadline | None = None,
        *,
        retries_keyed: bool = True,
    ) -> None:
        self._claims = claims
        self._timeout_s = timeout_s
        self._sharing = sharing or StreamSharing()
        self._client_deadline = client_deadline
        self._retries_keyed = retries_keyed

    def make(self, prepared: Prepared, request: GraphQLRequest, context: RequestContext) -> ExecutionContext:
        """Return the surroundings of one execution that begins now.

        Raises:
            RequestError: the variables are not valid, or do not go with the key of the header.
        """
        given, keyed = request.variables, prepared.keyed
        if keyed is not None and context.idempotency_key is not None:
            given = keyed.fill(given, prepared.variables.all_defaults, read_key(context.idempotency_key))
        variables = prepared.variables.check(given)
        has_keys = keyed is not None and self._retries_keyed and keyed.has_all(variables)
        is_stream = prepared.operation.kind == "subscription"
        timeout_s = self._timeout_s
        if self._client_deadline is not None:
            context, waits_s = self._client_deadline.take(context)
            if waits_s is not None and not is_stream:
                timeout_s = waits_s if timeout_s is None else min(waits_s, timeout_s)
        make = None if self._claims is None else partial(_signed, self._claims, context)
        headers = context.headers if make is None else make()
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        transports = (
            prepared.graph.transports
            if request.upload is None
            else UploadTransports(prepared.graph.transports, request.upload)
        )
        audience = self._sharing.audience(prepared, context) if is_stream else None
        return ExecutionContext(
            transports, variables.values, variables.defaults, headers, make, timeout_s, deadline, has_keys, audience
        )


def _signed(claims: ClaimsSigner, context: RequestContext) -> tuple[tuple[str, str], ...]:
    return (*context.headers, claims.header(context.principal))
