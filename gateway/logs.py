"""Logs of programs: one JSON object a line, without secrets.

What is ours gives them none. What others raise may, so that texts of errors pass one place which takes them out.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TextIO

import structlog

from gateway.redaction import redact
from gateway.tracing import request_id

__all__ = ["log_to"]

_TELLS_OF_ERRORS = frozenset({"warning", "error", "exception", "critical"})


_LEFT_INCOMPLETE = "ASGI callable returned without completing response."
_FAILED = "Exception in ASGI application\n"
"""What uvicorn says when an application returned before the end of its answer, and when one was ended by an exception,
as it is by being cancelled."""


def log_to(stream: TextIO, level: int = logging.INFO) -> None:
    """Write what structlog and the standard library's loggers say to a stream, one JSON object a line."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _name_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.getLogger("uvicorn.error").addFilter(_OWN_CUTS)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("gateway").setLevel(level)


class _OwnCuts(logging.Filter):
    """Says in our words what the server takes for a fault of the application: an answer that was cut on purpose."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a line of the server that tells of a cut; all lines are kept."""
        fault = record.exc_info[1] if record.exc_info else None
        if record.msg == _LEFT_INCOMPLETE:
            what = "an answer was cut: its client did not read it, or the gateway stopped"
        elif record.msg == _FAILED and isinstance(fault, asyncio.CancelledError):
            what = "an answer was cut: the gateway stopped and waited no longer"
        else:
            return True
        record.msg, record.args, record.exc_info = what, (), None
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return True


_OWN_CUTS = _OwnCuts()


def _redact(_: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Take secrets out of a trace, and out of a message that tells of an error."""
    for key in ("exception", "event") if method in _TELLS_OF_ERRORS else ("exception",):
        text = event.get(key)
        if isinstance(text, str):
            event[key] = redact(text)
    return event


def _name_request(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add the id of the request that runs to a line, where no trace has given it one."""
    identifier = request_id.get()
    if identifier is not None:
        event.setdefault("correlation_id", identifier)
    return event
