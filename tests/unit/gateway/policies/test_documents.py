"""Persisted documents: what a request with an id, a hash or a text comes to, and how manifests are read."""

from __future__ import annotations

import hashlib
import json

import pytest

from gateway.config import RedisSettings
from gateway.errors import ConfigError, RequestError
from gateway.policies.document_manifest import Manifest, read_manifests
from gateway.policies.document_store import BYTES_PER_DOCUMENT, MemoryDocuments, RedisDocuments
from gateway.policies.documents import Documents, TrustedRules
from gateway.policies.shared_redis import SharedRedis
from gateway.server.request import GraphQLRequest, KnownClient, read_payload, read_query_string

TEXT = "{ me { name } }"
HASH = hashlib.sha256(TEXT.encode()).hexdigest()
MANIFEST = Manifest([("a", None, "{ a }"), ("a", "phone", "{ phone }"), ("b", "phone", "{ b }")])
BY_HASH = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": HASH}}}


async def outcome(documents: Documents, request: GraphQLRequest, client: str | None = None) -> str:
    """Return the text that goes on, else the code of the refusal."""
    try:
        return (await documents.resolve(request, KnownClient(client))).query
    except RequestError as error:
        return str(error.code)


@pytest.mark.parametrize(
    "payload",
    [
        BY_HASH,
        {"documentId": HASH},
        {"documentId": f"sha256:{HASH}"},
        {"doc_id": HASH},
        {"id": HASH, "query": None},
    ],
    ids=["Apollo", "GraphQL over HTTP", "GraphQL over HTTP with the algorithm", "Relay", "Relay's older name"],
)
def test_a_request_may_name_its_document(payload):
    assert read_payload(payload) == GraphQLRequest("", document_id=HASH)


def test_a_request_with_a_text_has_no_use_for_an_id_of_another_kind():
    assert read_payload({"query": TEXT, "id": "1"}) == GraphQLRequest(TEXT)
    assert read_payload({"query": TEXT, **BY_HASH}) == GraphQLRequest(TEXT, document_id=HASH)


def test_the_query_string_may_name_a_document():
    assert read_query_string(b"documentId=x") == GraphQLRequest("", document_id="x")
    given = json.dumps(BY_HASH["extensions"]).replace(" ", "")
    assert read_query_string(f"extensions={given}".encode()) == GraphQLRequest("", document_id=HASH)


@pytest.mark.parametrize(
    "payload",
    [
        {"extensions": {"persistedQuery": 1}},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": HASH}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"documentId": 3},
        {"documentId": ""},
        {"documentId": "x" * 257},
        {"extensions": {}},
    ],
)
def test_a_malformed_name_is_a_bad_request(payload):
    with pytest.raises(RequestError) as caught:
        read_payload(payload)
    assert caught.value.code == "BAD_REQUEST"


async def test_a_registered_text_is_found_by_its_hash():
    documents = Documents(MemoryDocuments(10, 1000), None)
    by_hash = GraphQLRequest("", document_id=HASH)
    assert await outcome(documents, by_hash) == "PERSISTED_QUERY_NOT_FOUND"
    assert await outcome(documents, GraphQLRequest(TEXT, document_id=HASH.upper())) == TEXT
    assert await outcome(documents, by_hash) == TEXT


async def test_a_text_under_a_wrong_hash_is_not_registered():
    documents = Documents(MemoryDocuments(10, 1000), None)
    assert await outcome(documents, GraphQLRequest("{ evil }", document_id=HASH)) == "PERSISTED_QUERY_MISMATCH"
    assert await outcome(documents, GraphQLRequest("", document_id=HASH)) == "PERSISTED_QUERY_NOT_FOUND"


async def test_without_a_store_a_hash_alone_is_not_supported_and_beside_a_text_it_does_no_harm():
    documents = Documents(None, None)
    assert await outcome(documents, GraphQLRequest("", document_id=HASH)) == "PERSISTED_QUERY_NOT_SUPPORTED"
    assert await outcome(documents, GraphQLRequest(TEXT, document_id=HASH)) == TEXT


async def test_the_store_is_bounded_in_number_and_size():
    store = MemoryDocuments(2, 10)
    for name in ("a", "b"):
        await store.keep(name, name)
    assert await store.find("a") == "a"
    await store.keep("c", "c")
    await store.keep("d", "d" * 11)
    assert [await store.find(name) for name in "abcd"] == ["a", None, "c", None]


async def test_large_documents_leave_room_for_fewer():
    store = MemoryDocuments(4, 10 * BYTES_PER_DOCUMENT)
    for name in "abcd":
        await store.keep(name, name * 2 * BYTES_PER_DOCUMENT)
        await store.keep(name, name * 2 * BYTES_PER_DOCUMENT)
    assert [await store.find(name) is not None for name in "abcd"] == [False, False, True, True]
    await store.keep("e", "e" * 6 * BYTES_PER_DOCUMENT)
    assert [await store.find(name) is not None for name in "cde"] == [False, False, True]
    for name in "abcd":
        await store.keep(name, name)
    assert [await store.find(name) for name in "abcde"] == ["a", "b", "c", "d", None]


TRUSTED = [
    pytest.param("optional", "{ x }", None, "{ x }", id="optional: another text runs"),
    pytest.param("logged", "{ x }", None, "{ x }", id="logged: another text runs"),
    pytest.param("required", "{ x }", None, "PERSISTED_DOCUMENT_REQUIRED", id="required: another text is refused"),
    pytest.param("required", "{ a }", None, "{ a }", id="required: a registered text runs"),
    pytest.param("required", "{ b }", "phone", "{ b }", id="required: the text of this client runs"),
    pytest.param("required", "{ b }", "web", "PERSISTED_DOCUMENT_REQUIRED", id="required: the text of another client"),
    pytest.param("required", "{ x }", "old", "{ x }", id="a client with a mode of its own"),
]


@pytest.mark.parametrize(("mode", "text", "client", "expected"), TRUSTED)
async def test_what_happens_to_a_text_depends_on_the_mode(mode, text, client, expected):
    documents = Documents(None, TrustedRules(MANIFEST, mode, {"old": "logged"}))
    assert await outcome(documents, GraphQLRequest(text), client) == expected


@pytest.mark.parametrize(
    ("identifier", "client", "expected"),
    [
        ("a", None, "{ a }"),
        ("a", "web", "{ a }"),
        ("a", "phone", "{ phone }"),
        ("b", "phone", "{ b }"),
        ("b", "web", "PERSISTED_QUERY_NOT_FOUND"),
        ("c", "phone", "PERSISTED_QUERY_NOT_FOUND"),
    ],
)
@pytest.mark.parametrize("mode", ["optional", "logged", "required"])
async def test_a_trusted_document_is_found_by_its_id_for_its_client(mode, identifier, client, expected):
    documents = Documents(None, TrustedRules(MANIFEST, mode, require_id=True))
    assert await outcome(documents, GraphQLRequest("", document_id=identifier), client) == expected


async def test_where_the_id_is_required_a_registered_text_is_refused():
    documents = Documents(None, TrustedRules(MANIFEST, "required", require_id=True))
    assert await outcome(documents, GraphQLRequest("{ a }")) == "PERSISTED_DOCUMENT_REQUIRED"


async def test_registering_by_hash_is_no_way_around_required_documents():
    documents = Documents(MemoryDocuments(10, 1000), TrustedRules(MANIFEST, "required"))
    assert await outcome(documents, GraphQLRequest(TEXT, document_id=HASH)) == "PERSISTED_DOCUMENT_REQUIRED"
    assert await outcome(documents, GraphQLRequest("", document_id=HASH)) == "PERSISTED_DOCUMENT_REQUIRED"


async def test_an_unknown_document_is_logged_by_its_hash_and_client_and_without_its_text(caplog):
    documents = Documents(None, TrustedRules(MANIFEST, "logged"))
    await documents.resolve(GraphQLRequest(TEXT), KnownClient("web"))
    assert HASH in caplog.text
    assert "web" in caplog.text
    assert "name" not in caplog.text.replace("without a name", "")


def test_manifests_of_apollo_and_relay_are_read_together(tmp_path):
    apollo, relay = tmp_path / "apollo.json", tmp_path / "relay.json"
    operations = [
        {"id": "1", "name": "A", "type": "query", "body": "query A { a }"},
        {"id": "1", "name": "A", "type": "query", "body": "query A { b }", "clientName": "phone"},
    ]
    apollo.write_text(json.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}))
    relay.write_text(json.dumps({"2": "query B { b }"}))
    manifest = read_manifests([apollo, relay])
    assert len(manifest) == 3
    assert manifest.find("1", None) == "query A { a }"
    assert manifest.find("1", "phone") == "query A { b }"
    assert manifest.find("2", "phone") == "query B { b }"


@pytest.mark.parametrize(
    "content",
    [
        "[",
        "[]",
        '{"format": "apollo-persisted-query-manifest", "version": 2, "operations": []}',
        '{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": "1"}]}',
        '{"1": {"text": "query"}}',
    ],
)
def test_what_is_no_manifest_is_refused_with_its_name(tmp_path, content):
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"manifest\.json"):
        read_manifests([path])


def test_a_missing_manifest_is_refused_with_its_name(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        read_manifests([tmp_path / "nowhere.json"])


async def test_processes_share_documents_through_redis(redis_url):
    settings = RedisSettings(url=redis_url, timeout=5.0)
    one, other = SharedRedis(settings), SharedRedis(settings)
    try:
        first, second = (RedisDocuments(link, MemoryDocuments(10, 100), 100, 60.0) for link in (one, other))
        await first.keep(HASH, TEXT)
        await first.keep("large", "x" * 101)
        assert await second.find(HASH) == TEXT
        assert await second.find("large") is None
    finally:
        await one.aclose()
        await other.aclose()


async def test_without_redis_documents_are_kept_by_the_process_alone(caplog):
    now = [0.0]
    link = SharedRedis(RedisSettings(url="redis://127.0.0.1:1/0"), clock=lambda: now[0])
    try:
        store = RedisDocuments(link, MemoryDocuments(10, 100), 100, 60.0)
        await store.keep(HASH, TEXT)
        assert await store.find(HASH) == TEXT
        assert await store.find("other") is None
        assert len(caplog.records) == 1, "after a failure redis is left alone for a moment"
        now[0] = 2.0
        assert await store.find("other") is None
        assert len(caplog.records) == 2
    finally:
        await link.aclose()
