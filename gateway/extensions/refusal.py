"""How an extension says no."""

from __future__ import annotations

from gateway.errors import ErrorCode, RequestError

__all__ = ["Refused"]


class Refused(RequestError):
    """Raised by a hook to refuse an operation, or one request to a subgraph.

    Args:
        message: what the client is told: what is wrong, and what to do.
        reason: the extension's own word for it, for programs; the client gets it as ``extensions.reason``.
        http_status: status of the answer; without effect where a request to a subgraph is refused.
        retry_after_s: seconds after which the same may be allowed, None when time does not change the answer.
    """

    def __init__(
        self, message: str, *, reason: str | None = None, http_status: int = 403, retry_after_s: float | None = None
    ) -> None:
        super().__init__(
            ErrorCode.EXTENSION_REFUSED,
            message,
            http_status=http_status,
            extensions={} if reason is None else {"reason": reason},
            retry_after_s=retry_after_s,
        )
