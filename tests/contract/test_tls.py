"""Certificates between gateway and subgraphs: who is believed, who is let in, and what is said when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.bootstrap import build_gateway
from gateway.composition import SubgraphSource, compose_or_raise
from gateway.config import SubgraphTls, settings_from
from gateway.errors import ConfigError, ErrorCode, SubgraphError
from gateway.transport.base import SubgraphRequest, SubgraphTransport
from gateway.transport.graphql_ws import GraphqlWsTransport
from gateway.transport.http1 import Http1Transport
from gateway.transport.limits import TransportLimits
from gateway.transport.multipart import MultipartTransport
from gateway.transport.sse import SseTransport
from gateway.transport.tls import SubgraphTlsContext, check_server_tls
from gateway.transport.upload import Upload
from tests.support.certificates import Authority, Pair
from tests.support.scripted_subgraph import ScriptedSubgraph
from tests.support.serving import serve_asgi, serve_raw

LIMITS = TransportLimits(timeout_s=30, connect_timeout_s=20)
WAYS = {
    "own HTTP": Http1Transport,
    "WebSocket": GraphqlWsTransport,
    "server-sent events": SseTransport,
    "parts of events": MultipartTransport,
}


class House:
    """A subgraph that only lets in clients with a certificate by ``clients``, and is known by ``servers``."""

    def __init__(self, folder: Path, name: str = "127.0.0.1") -> None:
        self.servers = Authority(folder, "servers")
        self.clients = Authority(folder, "clients")
        self.strangers = Authority(folder, "strangers")
        self.subgraph = ScriptedSubgraph()
        self.pair = self.servers.sign(name)

    def tls(self, ca: Authority | None = None, own: Pair | None = None, name: str | None = None) -> SubgraphTlsContext:
        files = {} if own is None else {"certificate": own.certificate, "key": own.key}
        return SubgraphTlsContext("s", SubgraphTls(ca=(ca or self.servers).ca, server_name=name, **files))

    @asynccontextmanager
    async def reached(self, kind: str, tls: SubgraphTlsContext) -> AsyncIterator[SubgraphTransport]:
        async with serve_asgi(self.subgraph.app, tls=self.pair, clients_by=self.clients.ca) as address:
            transport = WAYS[kind]("s", f"{address}/graphql", LIMITS, tls=tls)
            try:
                yield transport
            finally:
                self.subgraph.release.set()
                await transport.aclose()


async def ask(transport: SubgraphTransport) -> Any:
    return orjson.loads((await transport.send(SubgraphRequest(b'{"query":"hello"}'))).body)


EVERY_WAY = pytest.mark.parametrize("kind", WAYS)


@EVERY_WAY
async def test_a_subgraph_that_asks_for_a_certificate_gets_it(tmp_path, kind):
    house = House(tmp_path)
    async with house.reached(kind, house.tls(own=house.clients.sign("gateway"))) as transport:
        assert "data" in await ask(transport)
        assert "data" in await ask(transport)


@EVERY_WAY
async def test_a_certificate_for_another_name_is_accepted_only_under_that_name(tmp_path, kind):
    house = House(tmp_path, "reviews.internal")
    own = house.clients.sign("gateway")
    async with house.reached(kind, house.tls(own=own, name="reviews.internal")) as transport:
        assert "data" in await ask(transport)
    async with house.reached(kind, house.tls(own=own)) as transport:
        with pytest.raises(SubgraphError):
            await ask(transport)
    assert len(house.subgraph.requests) == 1


@EVERY_WAY
@pytest.mark.parametrize("fault", ["another authority", "no certificate of ours", "a certificate of a stranger"])
async def test_a_connection_that_one_side_does_not_believe_is_not_used(tmp_path, kind, fault):
    house = House(tmp_path)
    own: dict[str, Any] = {
        "another authority": {"ca": house.strangers, "own": house.clients.sign("gateway")},
        "no certificate of ours": {},
        "a certificate of a stranger": {"own": house.strangers.sign("gateway")},
    }[fault]
    async with house.reached(kind, house.tls(**own)) as transport:
        with pytest.raises(SubgraphError) as caught:
            await ask(transport)
    assert caught.value.code is ErrorCode.SUBGRAPH_UNAVAILABLE
    assert house.subgraph.requests == []
    if fault == "another authority":
        assert "certificate" in caught.value.message
        assert "not accepted" in caught.value.message


async def test_a_subgraph_that_says_why_it_refuses_is_quoted(tmp_path):
    house = House(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(house.pair.certificate, house.pair.key)
    context.load_verify_locations(house.clients.ca)
    context.verify_mode = ssl.CERT_REQUIRED

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Shake hands by hand, so that the alert is sent before the connection ends."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing, server_side=True)
        while data := await reader.read(65536):
            incoming.write(data)
            with contextlib.suppress(ssl.SSLError):
                session.do_handshake()
            writer.write(outgoing.read())

    async with serve_raw(refuse) as address:
        transport = Http1Transport("s", address.replace("http", "https"), LIMITS, tls=house.tls())
        with pytest.raises(SubgraphError, match=r"refused the secure connection: .*CERTIFICATE_REQUIRED") as caught:
            await ask(transport)
        await transport.aclose()
    assert not caught.value.retryable


async def test_files_go_by_the_same_certificates(tmp_path):
    async def file() -> AsyncIterator[bytes]:
        yield b"\r\n\r\nhello\r\n--b--\r\n"

    def request() -> SubgraphRequest:
        upload = Upload(b"b", b'{"0":["variables.f"]}', (("f",),), file())
        return SubgraphRequest(b'{"query":"x","variables":{"f":1}}', is_mutation=True, upload=upload)

    seen: list[tuple[str, bytes]] = []

    async def take(scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        seen.append((headers["content-type"], body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"data":{}}'})

    house = House(tmp_path)
    async with serve_asgi(take, tls=house.pair, clients_by=house.clients.ca) as address:
        good = Http1Transport("s", f"{address}/", LIMITS, tls=house.tls(own=house.clients.sign("gateway")))
        bad = Http1Transport("s", f"{address}/", LIMITS, tls=house.tls(house.strangers))
        assert (await good.send(request())).body == b'{"data":{}}'
        with pytest.raises(SubgraphError, match="not accepted"):
            await bad.send(request())
    ((content_type, body),) = seen
    assert content_type.startswith("multipart/form-data")
    assert b'{"query":"x","variables":{"f":null}}' in body
    assert body.endswith(b"hello\r\n--b--\r\n")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Files that are right and wrong, by what they are."""
    good, other = Authority(tmp_path, "good"), Authority(tmp_path, "other")
    pair, locked = good.sign("gateway"), other.sign("locked", password=b"secret")
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    return {
        "ca": good.ca,
        "certificate": pair.certificate,
        "key": pair.key,
        "another key": other.sign("gateway").key,
        "locked": locked.certificate,
        "locked key": locked.key,
        "text": text,
        "nothing": tmp_path / "nothing.pem",
        "a folder": tmp_path,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"ca": "nothing"}, r"tls.ca: .*nothing.pem cannot be read: No such file", id="no such file"),
        pytest.param({"ca": "a folder"}, "tls.ca: .* cannot be read: Is a directory", id="a folder"),
        pytest.param({"ca": "text"}, "tls.ca: .*text.pem holds no certificate", id="an authority that is text"),
        pytest.param({"certificate": "nothing", "key": "key"}, "tls.certificate: .*cannot be read", id="certificate"),
        pytest.param({"certificate": "certificate", "key": "nothing"}, "tls.key: .*cannot be read", id="key"),
        pytest.param({"certificate": "text", "key": "key"}, "no certificate and key in PEM", id="text"),
        pytest.param({"certificate": "certificate", "key": "another key"}, "tls.key: .*does not belong", id="mismatch"),
        pytest.param({"certificate": "locked", "key": "locked key"}, "tls.key: .*is encrypted", id="locked"),
    ],
)
def test_files_that_cannot_be_used_are_named_at_start(files, given, said):
    tls = {key: str(files[name]) for key, name in given.items()}
    with pytest.raises(ConfigError, match=said):
        build(tls)
    if "ca" not in given:
        with pytest.raises(ConfigError, match="server." + said if said.startswith("tls") else said):
            check_server_tls(settings_from({"server": {"tls": tls}}, {}).server.tls)


def test_files_that_fit_are_accepted(files):
    assert build({key: str(files[key]) for key in ("ca", "certificate", "key")}) is not None
    check_server_tls(
        settings_from({"server": {"tls": {key: str(files[key]) for key in ("certificate", "key")}}}, {}).server.tls
    )


@pytest.mark.parametrize(
    ("own", "said"),
    [
        pytest.param({"tls": {"certificate": "a.pem"}}, "key is missing", id="a certificate without its key"),
        pytest.param({"tls": {"key": "a.pem"}}, "certificate is missing", id="a key without its certificate"),
        pytest.param({"tls": {"verify": False}}, "tls.verify: unknown key", id="checks switched off"),
        pytest.param({"url": "http://a", "tls": {}}, "which is not https", id="certificates without TLS"),
        pytest.param(
            {"subscriptions_url": "ws://a", "tls": {}}, "ws://a, which is not https", id="streams without TLS"
        ),
    ],
)
def test_settings_that_would_leave_out_tls_are_refused(own, said):
    with pytest.raises(ConfigError, match=said):
        build(**own)


def build(tls: dict[str, Any] | None = None, url: str = "https://a", **more: Any) -> Any:
    settings = settings_from({"subgraphs": {"s": {"url": url, "tls": tls, **more}}}, {})
    return build_gateway(supergraph(url), settings=settings)


def supergraph(url: str) -> str:
    return str(compose_or_raise([SubgraphSource(name="s", url=url, sdl="type Query { query: String }")]).supergraph)


async def test_certificates_that_were_rotated_hold_after_a_reload_and_broken_ones_change_nothing(tmp_path):
    house = House(tmp_path)
    own, stranger = house.clients.sign("gateway"), house.strangers.sign("gateway")
    used = Pair(tmp_path / "used.crt", tmp_path / "used.key")
    rotate(used, stranger)
    async with serve_asgi(house.subgraph.app, tls=house.pair, clients_by=house.clients.ca) as address:
        tls = {"ca": str(house.servers.ca), "certificate": str(used.certificate), "key": str(used.key)}
        settings = settings_from(
            {
                "subgraphs": {"s": {"url": f"{address}/graphql", "tls": tls}},
                "traffic": {"circuit": {"enabled": False}, "retry": {"max_retries": 0}},
            },
            {},
        )
        async with build_gateway(supergraph(address), settings=settings) as gateway:
            assert (await gateway.execute("{ query }")).data == {"query": None}, "a stranger"
            rotate(used, own)
            assert await gateway.change_settings(settings.model_copy()) == ()
            assert (await gateway.execute("{ query }")).data != {"query": None}
            used.key.write_bytes(stranger.key.read_bytes())
            with pytest.raises(ConfigError, match="does not belong"):
                await gateway.change_settings(settings.model_copy())
            assert (await gateway.execute("{ query }")).data != {"query": None}


def rotate(used: Pair, to: Pair) -> None:
    used.certificate.write_bytes(to.certificate.read_bytes())
    used.key.write_bytes(to.key.read_bytes())
