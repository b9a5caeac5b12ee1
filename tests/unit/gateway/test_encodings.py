"""Content codings: the one that is wanted most, and bodies that come out whole or not at all."""

from __future__ import annotations

import pytest

from gateway.encodings import CorruptBody, choose_encoding, pack, packer, read_encoding, unpack

ALL = ("zstd", "br", "gzip")
BODY = b'{"data":{"items":[' + b'{"name":"an item"},' * 500 + b"]}}"
each = pytest.mark.parametrize("encoding", ALL)


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        pytest.param(b"gzip", "gzip", id="the only one"),
        pytest.param(b"x-gzip", "gzip", id="the old name"),
        pytest.param(b"gzip, deflate, br, zstd", "zstd", id="the first offered of those wanted as much"),
        pytest.param(b"zstd;q=0.1, br;q=0.5, gzip;q=0.9", "gzip", id="the one wanted most"),
        pytest.param(b"*", "zstd", id="any"),
        pytest.param(b"zstd;q=0, *;q=0.5", "br", id="any but one"),
        pytest.param(b"identity, gzip;q=0.5", None, id="none is wanted more"),
        pytest.param(b"identity;q=0.5, gzip", "gzip", id="none is wanted less"),
        pytest.param(b"deflate", None, id="another one"),
        pytest.param(b"gzip;q=0", None, id="refused"),
        pytest.param(b"gzip;q=much", None, id="a weight that is no number"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_the_coding_that_is_wanted_most_is_chosen(header, chosen):
    assert choose_encoding(header, ALL) == chosen


def test_nothing_is_chosen_where_nothing_is_offered():
    assert choose_encoding(b"*", ()) is None


@each
def test_a_whole_body_comes_out_as_it_went_in(encoding):
    found = pack(encoding, BODY)
    assert len(found) < len(BODY) // 5
    assert unpack(encoding, found, len(BODY)) == BODY


@each
def test_pieces_make_one_body(encoding):
    packing = packer(encoding)
    found = b"".join([packing.write(b"one "), packing.write(b"two "), packing.write(b"three"), packing.end()])
    assert unpack(encoding, found, 100) == b"one two three"


@each
def test_what_would_come_out_too_large_is_refused_before_it_fills_the_memory(encoding):
    bomb = pack(encoding, b"0" * 50_000_000)
    assert len(bomb) < 500_000
    with pytest.raises(OverflowError):
        unpack(encoding, bomb, 1000)


@each
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda body: body[:-10], id="cut off"),
        pytest.param(lambda body: body + b"more", id="followed by something"),
        pytest.param(lambda _: b"{}", id="not packed"),
        pytest.param(lambda _: b"", id="empty"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused(encoding, spoil):
    with pytest.raises(CorruptBody):
        unpack(encoding, spoil(pack(encoding, BODY)), len(BODY))


@pytest.mark.parametrize("header", ["deflate", "gzip, br", "compress"])
def test_other_codings_of_bodies_are_not_read(header):
    with pytest.raises(ValueError, match=header):
        read_encoding(header)


@pytest.mark.parametrize(("header", "read"), [("", None), ("identity", None), (" X-GZIP", "gzip"), ("br", "br")])
def test_codings_are_read_in_any_case(header, read):
    assert read_encoding(header) == read
