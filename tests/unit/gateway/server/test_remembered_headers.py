"""What is remembered of headers is bounded by their length too, not by their number alone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from gateway.encodings import choose_encoding
from gateway.server.negotiate import choose

LONG = 50_000
HEADERS = 200


@pytest.mark.parametrize(
    ("read", "wanted"),
    [
        pytest.param(lambda text: choose(text).kind, "application/json", id="Accept"),
        pytest.param(lambda text: choose_encoding(text.encode(), ("gzip",)), "gzip", id="Accept-Encoding"),
    ],
)
def test_long_headers_are_read_and_not_remembered(read: Callable[[str], object], wanted: str):
    first = read(wanted)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(HEADERS):
            assert read(f"{wanted}, {number}/{'x' * LONG}") == first
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept - before < HEADERS * LONG / 10
