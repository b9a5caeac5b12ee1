"""What a program logs, line by line, as ``log_to`` writes it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from gateway.logs import log_to


class Log:
    """What was logged since it was asked last."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def lines(self) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        self.stream.seek(0)
        self.stream.truncate()
        return found


@contextmanager
def logged() -> Iterator[Log]:
    """Have everything logged to the yielded object; loggers are as before afterwards."""
    loggers = [logging.getLogger(name) for name in (None, "gateway", "uvicorn.error")]
    before = [(logger.handlers[:], logger.filters[:], logger.level) for logger in loggers]
    found = Log()
    log_to(found.stream)
    try:
        yield found
    finally:
        for logger, (handlers, filters, level) in zip(loggers, before, strict=True):
            logger.handlers[:], logger.filters[:] = handlers, filters
            logger.setLevel(level)
        structlog.reset_defaults()
