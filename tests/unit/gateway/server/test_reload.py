"""When a changed supergraph is noticed, and what happens to one that cannot be served."""

from __future__ import annotations

import os

import pytest

from gateway.errors import SupergraphError
from gateway.server.reload import FileSource, Reloader, UrlSource
from gateway.transport.download import DownloadFailed
from tests.support.serving import serve_asgi


async def test_a_file_gives_its_text_whenever_it_has_changed(tmp_path):
    path = tmp_path / "supergraph.graphql"
    path.write_text("one")
    source = FileSource(path)
    assert [await source.changed(), await source.changed()] == ["one", None]
    path.write_text("two!")
    assert [await source.changed(), await source.changed()] == ["two!", None]
    before = path.stat()
    path.write_text("2wo!")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert await source.changed() == "2wo!", "of the same size, written later"
    path.unlink()
    with pytest.raises(OSError, match="No such file"):
        await source.changed()


class Registry:
    """Serves a text with an ETag, and tells which requests named the one that they have."""

    def __init__(self) -> None:
        self.text = b"one"
        self.etag: bytes | None = b'"1"'
        self.status = 200
        self.asked: list[bytes | None] = []

    async def __call__(self, scope, receive, send):
        known = dict(scope["headers"]).get(b"if-none-match")
        self.asked.append(known)
        is_known = known is not None and known == self.etag
        headers = [] if self.etag is None else [(b"etag", self.etag)]
        await send({"type": "http.response.start", "status": 304 if is_known else self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if is_known else self.text})


async def test_an_address_is_asked_by_etag():
    registry = Registry()
    async with serve_asgi(registry) as address:
        registry.asked.clear()
        source = UrlSource(f"{address}/supergraph", 5.0)
        assert [await source.changed(), await source.changed()] == ["one", None]
        registry.text, registry.etag = b"two", b'"2"'
        assert await source.changed() == "two"
        assert registry.asked == [None, b'"1"', b'"1"']
        registry.status, registry.etag = 500, b'"3"'
        with pytest.raises(DownloadFailed, match="status 500"):
            await source.changed()


async def test_without_etag_the_text_itself_is_compared():
    registry = Registry()
    registry.etag = None
    async with serve_asgi(registry) as address:
        source = UrlSource(f"{address}/supergraph", 5.0)
        assert [await source.changed(), await source.changed()] == ["one", None]


async def test_an_address_that_does_not_answer_is_said_to_fail():
    with pytest.raises(DownloadFailed, match="no answer"):
        await UrlSource("http://127.0.0.1:1/", 5.0).changed()


class Source:
    def __init__(self, *outcomes: str | Exception | None) -> None:
        self.outcomes = list(outcomes)

    async def changed(self) -> str | None:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.mark.parametrize(
    ("outcome", "refusal", "said"),
    [
        pytest.param(FileNotFoundError("gone"), None, "gone", id="the source fails"),
        pytest.param(DownloadFailed("status 500"), None, "status 500", id="the download fails"),
        pytest.param("bad", SupergraphError("no root type"), "no root type", id="it cannot be served"),
        pytest.param("bad", KeyError("bug"), "Traceback", id="a bug"),
    ],
)
async def test_what_cannot_be_served_is_logged_and_the_next_one_is_served(outcome, refusal, said, caplog):
    served: list[str] = []

    async def serve(text: str) -> None:
        if text == "bad":
            raise refusal
        served.append(text)

    reloader = Reloader(Source(outcome, None, "good"), serve, 1.0)
    assert [await reloader.look() for _ in range(3)] == [False, False, True]
    assert served == ["good"]
    assert said in caplog.text
    assert "the old one is served on" in caplog.text
