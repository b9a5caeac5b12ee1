"""Hide from clients what subgraphs say of their failures, and keep it findable.

The log has message and extensions under an id; the client gets the id, the code, the subgraph, the system and process
behind it, and whether another try may help. What the gateway itself says of a subgraph that gave no usable answer is
written for clients and stays.
"""

from __future__ import annotations

import logging
from typing import Any

from gateway.config import ErrorSettings
from gateway.errors import ErrorCode
from gateway.tracing import correlation_id

__all__ = ["ErrorMask"]

_log = logging.getLogger("gateway")

_KEPT = ("code", "subgraph", "system", "processId", "retryable")
"""What clients act on: whom to tell, where the work goes on, whether to try again."""

_OURS = frozenset(
    {
        ErrorCode.SUBGRAPH_UNAVAILABLE,
        ErrorCode.SUBGRAPH_TIMEOUT,
        ErrorCode.SUBGRAPH_BAD_STATUS,
        ErrorCode.SUBGRAPH_MALFORMED,
        ErrorCode.SUBGRAPH_TOO_LARGE,
        ErrorCode.CIRCUIT_OPEN,
        ErrorCode.SUBSCRIPTION_ENDED,
        ErrorCode.INVALID_RESULT,
        ErrorCode.EXTENSION_REFUSED,
        ErrorCode.EXTENSION_FAILED,
    }
)


class ErrorMask:
    """The policy of one gateway."""

    def __init__(self, settings: ErrorSettings) -> None:
        self._shown = _OURS | set(settings.shown_codes)
        self.is_on = settings.subgraph_errors == "masked"

    def apply(self, errors: list[dict[str, Any]]) -> None:
        """Mask the errors of one answer in place; all that are hidden share one id."""
        hidden = [error for error in errors if self._hides(error)]
        if not hidden:
            return
        identifier = correlation_id()
        for error in hidden:
            extensions = error["extensions"]
            _log.warning("subgraph error %s: %s %s", identifier, error.get("message"), extensions)
            error["message"] = f"a subgraph failed; the gateway's log has the reason under {identifier}"
            kept = {name: extensions[name] for name in _KEPT if name in extensions}
            error["extensions"] = {**kept, "correlationId": identifier}

    def _hides(self, error: dict[str, Any]) -> bool:
        extensions = error.get("extensions")
        return isinstance(extensions, dict) and "subgraph" in extensions and extensions.get("code") not in self._shown
