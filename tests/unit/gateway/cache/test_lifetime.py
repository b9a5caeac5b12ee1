"""What headers say of an answer's use, and what an answer made of parts may be used for."""

from __future__ import annotations

import pytest

from gateway.cache.lifetime import NEVER, UNSAID, Lifetime, Scope, join, read_lifetime

PUBLIC, PRIVATE = Scope.PUBLIC, Scope.PRIVATE


@pytest.mark.parametrize(
    ("header", "age", "expected"),
    [
        pytest.param("", "", UNSAID, id="no header says nothing"),
        pytest.param("max-age=60", "", Lifetime(60), id="an age without a scope"),
        pytest.param("Max-Age=60 , PUBLIC", "", Lifetime(60, PUBLIC), id="names in any case, with spaces"),
        pytest.param("private, max-age=60", "", Lifetime(60, PRIVATE), id="private"),
        pytest.param("private, public, max-age=1", "", Lifetime(1, PRIVATE), id="private goes before public"),
        pytest.param("max-age=60, s-maxage=10", "", Lifetime(10, PUBLIC), id="s-maxage is for shared caches"),
        pytest.param("s-maxage=10, private", "", Lifetime(10, PRIVATE), id="private goes before s-maxage"),
        pytest.param("no-store", "", NEVER, id="no-store"),
        pytest.param("no-cache, max-age=60", "", NEVER, id="no-cache: asking again each time is not done here"),
        pytest.param('no-cache="set-cookie", max-age=60', "", NEVER, id="no-cache for one header"),
        pytest.param("no-store, private", "", Lifetime(0, PRIVATE), id="no-store and private"),
        pytest.param("public", "", Lifetime(None, PUBLIC), id="a scope without an age"),
        pytest.param("max-age=60", "20", Lifetime(40), id="the age on arrival is taken off"),
        pytest.param("max-age=60", "90", Lifetime(0), id="too old on arrival"),
        pytest.param("max-age=60", "soon", Lifetime(60), id="an age that is no number is none"),
        pytest.param('max-age="60"', "", Lifetime(60), id="a quoted number"),
        pytest.param("max-age=-5", "", Lifetime(0), id="a negative number"),
        pytest.param("max-age", "", Lifetime(0), id="an age without a number"),
        pytest.param("max-age=" + "9" * 50, "", Lifetime(10**9), id="a number beyond all bounds"),
        pytest.param("must-revalidate, max-age=5, immutable", "", Lifetime(5), id="unknown words do not matter"),
    ],
)
def test_headers_are_read(header, age, expected):
    assert read_lifetime(header, age) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([], NEVER, id="nothing lasts for no time"),
        pytest.param([Lifetime(60, PUBLIC), Lifetime(5, PUBLIC)], Lifetime(5, PUBLIC), id="the shortest counts"),
        pytest.param([Lifetime(60, PUBLIC), Lifetime(90, PRIVATE)], Lifetime(60, PRIVATE), id="private spreads"),
        pytest.param([Lifetime(60, PUBLIC), NEVER], Lifetime(0, PUBLIC), id="one that is never kept spoils all"),
        pytest.param([Lifetime(60, PUBLIC), UNSAID], Lifetime(0, PUBLIC), id="so does one of which nothing is known"),
    ],
)
def test_an_answer_lasts_as_long_as_its_shortest_part(parts, expected):
    found = join(parts)
    assert (found.max_age_s, found.scope if found.max_age_s else None) == (
        expected.max_age_s,
        expected.scope if expected.max_age_s else None,
    )


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Lifetime(60), Lifetime(None, PRIVATE), Lifetime(60, PRIVATE)),
        (Lifetime(60, PUBLIC), Lifetime(10), Lifetime(10, PUBLIC)),
        (UNSAID, UNSAID, UNSAID),
        (NEVER, Lifetime(60, PUBLIC), Lifetime(0, PUBLIC)),
    ],
)
def test_two_sayings_are_narrowed_to_what_both_allow(one, other, expected):
    assert one.narrowed(other) == other.narrowed(one) == expected


@pytest.mark.parametrize(
    ("lifetime", "header"),
    [
        (Lifetime(60.9, PUBLIC), "max-age=60, public"),
        (Lifetime(60, PRIVATE), "max-age=60, private"),
        (Lifetime(60), "max-age=60, private"),
        (Lifetime(0.5, PUBLIC), "no-store"),
        (NEVER, "no-store"),
        (UNSAID, "no-store"),
    ],
)
def test_a_lifetime_is_written_for_clients(lifetime, header):
    assert lifetime.header() == header
