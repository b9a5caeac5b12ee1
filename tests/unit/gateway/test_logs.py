"""Lines of log: one JSON object each, with the trace of what failed and without secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextvars import copy_context

import pytest
import structlog

from gateway.redaction import MAX_TEXT, redact
from gateway.tracing import begin_request, request_id
from tests.support.log_lines import Log, logged

PASSWORD = "hunter2"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"


@pytest.fixture
def log() -> Iterator[Log]:
    with logged() as found:
        yield found


def _fail(secret: str) -> None:
    raise RuntimeError(f"signing in failed: password='{secret}'\nfor ann")


@pytest.mark.parametrize("logger", [logging.getLogger("gateway"), logging.getLogger("some.library")], ids=str)
def test_a_failure_is_one_line_with_its_trace_and_without_its_secret(log: Log, logger: logging.Logger) -> None:
    try:
        _fail(PASSWORD)
    except RuntimeError:
        logger.exception("a hook failed with Bearer %s", JWT)
    (line,) = log.lines()
    assert (line["level"], line["event"]) == ("error", "a hook failed with Bearer [redacted]")
    assert line["exception"].startswith("Traceback (most recent call last):")
    assert "in _fail" in line["exception"]
    assert "RuntimeError: signing in failed: password='[redacted]'\nfor ann" in line["exception"]
    assert PASSWORD not in json.dumps(line)


def test_structured_lines_have_the_same_form(log: Log) -> None:
    try:
        _fail(PASSWORD)
    except RuntimeError:
        structlog.get_logger().exception("failed", operation="Me")
    (line,) = log.lines()
    assert (line["event"], line["operation"]) == ("failed", "Me")
    assert "in _fail" in line["exception"]
    assert PASSWORD not in line["exception"]


def test_lines_of_one_request_share_its_id(log: Log) -> None:
    def serve() -> str | None:
        begin_request()
        logging.getLogger("gateway").warning("one")
        structlog.get_logger().info("two")
        return request_id.get()

    identifier = copy_context().run(serve)  # else all tests after this one would be of its request
    assert identifier is not None
    assert [line["correlation_id"] for line in log.lines()] == [identifier] * 2


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authorization: Bearer abcd.efgh", "Authorization: Bearer [redacted]"),
        ("redis://:pw@redis:6379/0 is gone", "redis://:[redacted]@redis:6379/0 is gone"),
        ("https://ann:pw@erp.example/orders", "https://ann:[redacted]@erp.example/orders"),
        (f"bad token {JWT}, expired", "bad token [redacted], expired"),
        ("{'client_secret': 'abc', 'user': 'ann'}", "{'client_secret': '[redacted]', 'user': 'ann'}"),
        ("GET /x?api_key=abc&page=2", "GET /x?api_key=[redacted]&page=2"),
        ('{"password": "it\'s"}', '{"password": "[redacted]"}'),
        ("the token is not valid: it has expired", "the token is not valid: it has expired"),
        ("http://127.0.0.1:4001/graphql answers 500", "http://127.0.0.1:4001/graphql answers 500"),
    ],
)
def test_what_looks_like_a_credential_is_taken_out_and_nothing_else(text: str, kept: str) -> None:
    assert redact(text) == kept


def test_a_long_text_is_kept_from_its_end() -> None:
    kept = redact("x" * MAX_TEXT + " ValueError: too long")
    assert kept.endswith("ValueError: too long")
    assert len(kept) < MAX_TEXT + 10
