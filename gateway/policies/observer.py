"""What becomes of an operation's end, or of its refusal: masked errors, lines of log, metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gateway.executor import DeferredResult, ExecutionResult
from gateway.policies.audit_log import AuditLog, Outcome
from gateway.policies.error_mask import ErrorMask
from gateway.policies.request_log import RequestLog, codes_of
from gateway.server.request import Client, RequestContext
from gateway.tracing import NoTracing, Tracing

if TYPE_CHECKING:
    from gateway.policies.metrics import Metrics

__all__ = ["Observer"]


class Observer:
    """The policy of one gateway; ``metrics`` is None where none are served."""

    def __init__(
        self,
        mask: ErrorMask,
        log: RequestLog,
        metrics: Metrics | None,
        tracing: Tracing | None = None,
        audit: AuditLog | None = None,
    ) -> None:
        self._mask = mask
        self._log = log
        self.metrics = metrics
        self.tracing = tracing or NoTracing()
        self._audit = audit or AuditLog(is_on=False)
        self.wants_all = metrics is not None or log.wants_all

    def hide(self, result: ExecutionResult | DeferredResult) -> None:
        """Mask the errors of an answer or of a part of it, in place."""
        if not self._mask.is_on:
            return
        if isinstance(result, ExecutionResult):
            self._mask.apply(result.errors)
        else:
            for patch in result.patches:
                self._mask.apply(patch.errors)

    def answered(
        self,
        kind: str,
        name: str | None,
        operation_hash: str,
        context: RequestContext,
        seconds: float,
        errors: list[dict[str, Any]],
    ) -> None:
        """Take note of an operation that ran."""
        self._log.write(kind, name, operation_hash, context, seconds, codes_of(errors) if errors else [])
        if self.metrics is not None:
            self.metrics.answered(kind, name, seconds, has_errors=bool(errors))

    def denied(
        self,
        outcome: Outcome,
        code: str,
        name: str | None,
        operation_hash: str,
        coordinates: Iterable[str],
        context: RequestContext,
    ) -> None:
        """Take note of an operation that asked for what is closed to its principal."""
        self._audit.unauthorized(outcome, code, name, operation_hash, coordinates, context)
        if self.metrics is not None:
            self.metrics.denied(outcome)

    def unauthenticated(self, code: str, client: Client) -> None:
        """Take note of a caller whose credentials are missing or not valid."""
        self._audit.unauthenticated(code, client)
        if self.metrics is not None:
            self.metrics.denied("unauthenticated")
            self.metrics.refused(code)

    def refused(self, code: str) -> None:
        """Take note of a request that did not run."""
        if self.metrics is not None:
            self.metrics.refused(code)
