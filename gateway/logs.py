"""Logs of programs: one JSON object a line, without secrets.

What is ours gives them none. What others raise may, so that texts of errors pass one place which takes them out.
"""

from __future__ import annotations

import logging
from typing import TextIO

import structlog

from gateway.redaction import redact
from gateway.tracing import request_id

__all__ = ["log_to"]

_TELLS_OF_ERRORS = frozenset({"warning", "error", "exception", "critical"})


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
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("gateway").setLevel(level)


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
