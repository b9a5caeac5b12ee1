"""Headers that extensions change."""

from __future__ import annotations

import pytest

from gateway.extensions import EditableHeaders

GIVEN = (("accept-language", "de"), ("x-tag", "a"), ("x-tag", "b"))


@pytest.mark.parametrize(
    ("name", "value", "pairs"),
    [
        pytest.param("x-new", "1", (*GIVEN, ("x-new", "1")), id="a new one"),
        pytest.param("X-New", "1", (*GIVEN, ("x-new", "1")), id="in lower case"),
        pytest.param("Accept-Language", "en", (*GIVEN[1:], ("accept-language", "en")), id="instead of another"),
        pytest.param("x-tag", "c", (GIVEN[0], ("x-tag", "c")), id="instead of several"),
    ],
)
def test_a_header_is_set(name, value, pairs):
    headers = EditableHeaders(GIVEN)
    headers[name] = value
    assert headers.pairs == pairs
    assert headers[name.upper()] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("x-new", "1\r\nx-other: 2", id="a value that begins another header"),
        pytest.param("x-new", "späti", id="a value that is not ASCII"),
        pytest.param("x new", "1", id="a name that is none"),
        pytest.param("", "1", id="no name"),
        pytest.param("Content-Length", "1", id="a header of the body"),
        pytest.param("host", "elsewhere", id="a header of the connection"),
    ],
)
def test_a_header_that_would_break_the_request_is_refused(name, value):
    headers = EditableHeaders(GIVEN)
    with pytest.raises(ValueError, match=r"header|connection"):
        headers[name] = value
    assert headers.pairs == GIVEN


def test_a_header_is_removed_with_all_its_values():
    headers = EditableHeaders(GIVEN)
    del headers["X-Tag"]
    assert headers.pairs == GIVEN[:1]
    with pytest.raises(KeyError):
        del headers["x-tag"]


def test_each_name_counts_once_and_values_are_not_shown():
    headers = EditableHeaders(GIVEN)
    assert (list(headers), len(headers)) == (["accept-language", "x-tag"], 2)
    assert repr(headers) == "EditableHeaders(accept-language, x-tag)"
