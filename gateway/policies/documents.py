"""Find the document that a request names, and refuse documents that nobody registered.

1. A request with an id and no text gets the text of the manifest, else the one that a client registered by its hash.
2. A request with a hash and a text registers the text, if the hash is right.
3. Where trusted documents are required, only what a manifest has goes on, however it was named.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace

from gateway.config.documents import DocumentMode
from gateway.errors import ErrorCode, RequestError
from gateway.policies.document_manifest import Manifest
from gateway.policies.document_store import DocumentStore
from gateway.server.request import Client, GraphQLRequest

__all__ = ["Documents", "TrustedRules"]

_log = logging.getLogger("gateway")

_NOBODY: Mapping[str, DocumentMode] = {}


class TrustedRules:
    """Which documents may run: those of a manifest, or others too."""

    def __init__(
        self,
        manifest: Manifest,
        mode: DocumentMode = "optional",
        clients: Mapping[str, DocumentMode] = _NOBODY,
        *,
        require_id: bool = False,
    ) -> None:
        self.manifest = manifest
        self._mode = mode
        self._clients = clients
        self._require_id = require_id

    def check(self, text: str, client: str | None, *, is_by_id: bool) -> None:
        """Accept a document.

        Raises:
            RequestError: PERSISTED_DOCUMENT_REQUIRED.
        """
        mode = self._mode if client is None else self._clients.get(client, self._mode)
        if mode == "optional":
            return
        is_known = self.manifest.has_text(text, client)
        if is_known and (is_by_id or mode == "logged" or not self._require_id):
            return
        if mode == "logged":
            digest = hashlib.sha256(text.encode()).hexdigest()
            _log.warning("document %s of client %s is in no manifest", digest, client or "without a name")
            return
        what = "must be named by its id" if is_known else "is in no manifest of trusted documents"
        message = f"the document {what}; register it when the client is built and send its id"
        raise RequestError(ErrorCode.PERSISTED_DOCUMENT_REQUIRED, message, http_status=403)


class Documents:
    """Persisted documents of one gateway; either part may be absent.

    Attributes:
        automatic: those that clients registered.
    """

    def __init__(self, automatic: DocumentStore | None, trusted: TrustedRules | None) -> None:
        self.automatic = automatic
        self._trusted = trusted

    def wants(self, request: GraphQLRequest) -> bool:
        """Tell whether a request has to be resolved at all."""
        return self._trusted is not None or request.document_id is not None

    async def resolve(self, request: GraphQLRequest, client: Client) -> GraphQLRequest:
        """Return the request with its text.

        Raises:
            RequestError: PERSISTED_QUERY_NOT_FOUND, PERSISTED_QUERY_NOT_SUPPORTED, PERSISTED_QUERY_MISMATCH,
                PERSISTED_DOCUMENT_REQUIRED.
        """
        named, caller = request.document_id, client.name
        trusted = self._trusted
        if named is None:
            if trusted is not None:
                trusted.check(request.query, caller, is_by_id=False)
            return request
        text = trusted.manifest.find(named, caller) if trusted is not None and not request.query else None
        if text is None:
            text = await self._automatic_text(named, request)
            if trusted is not None:
                trusted.check(text, caller, is_by_id=False)
        return replace(request, query=text, document_id=None)

    async def _automatic_text(self, named: str, request: GraphQLRequest) -> str:
        if self.automatic is None:
            if request.query:
                return request.query
            if self._trusted is not None:
                raise _not_found()
            message = "PersistedQueryNotSupported"  # clients of the protocol compare this text
            raise RequestError(ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED, message)
        if not request.query:
            found = await self.automatic.find(named)
            if found is None:
                raise _not_found()
            return found
        if hashlib.sha256(request.query.encode()).hexdigest() != named.lower():
            message = "the hash of the persisted query is not the SHA-256 of its text; send the text alone or fix it"
            raise RequestError(ErrorCode.PERSISTED_QUERY_MISMATCH, message)
        await self.automatic.keep(named.lower(), request.query)
        return request.query


def _not_found() -> RequestError:
    message = "PersistedQueryNotFound"  # clients of the protocol compare this text
    return RequestError(ErrorCode.PERSISTED_QUERY_NOT_FOUND, message, http_status=404)
