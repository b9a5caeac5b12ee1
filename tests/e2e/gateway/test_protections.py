"""Every protection as a client meets it: what is refused, with its code, and the nearest thing that is not.

``PROTECTIONS`` is answered by one gateway per row. Where a protection needs a slow client, a second request or a
subgraph of its own, ``ELSEWHERE`` names the tests. A code or a limit that is in neither fails the tests at the end.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.config.limits import LimitSettings
from gateway.config.subscriptions import SubscriptionSettings
from gateway.errors import ErrorCode
from tests.e2e.gateway.test_gateway import IN_PROCESS

TESTS = Path(__file__).parents[2]
PAGE = TESTS.parent / "docs" / "errors" / "LIMIT_EXCEEDED.md"
KEPT_IN_CACHES = ("max_cached_plans", "max_cached_text_bytes")
"""Limits beyond which something is done again, and nothing refused."""
REFUSED_OTHERWISE = {"max_connections", "max_upload_bytes"}
"""Limits of requests that have a code of their own."""
KEY = "a random key"
KEYS = {
    "anonymous": False,
    "api_keys": [{"sha256": hashlib.sha256(KEY.encode()).hexdigest(), "subject": "partner", "scopes": ["salary:read"]}],
}


@dataclass(frozen=True)
class Protection:
    """Two requests, as arguments of the HTTP client, that are alike but for what the settings bound."""

    code: str
    refused: dict[str, Any]
    allowed: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    status: int = 400
    extensions: dict[str, Any] = field(default_factory=dict)


def asked(query: str, variables: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"json": {"query": query, **({"variables": variables} if variables else {})}, **more}


def limit(name: str, most: int, refused: dict[str, Any], allowed: dict[str, Any], status: int = 400) -> Any:
    """Return the row of a limit: a setting where it is one, else a bound that is fixed."""
    settings = {"limits": {name: most}} if name in LimitSettings.model_fields else {}
    told = {"limit": name, "most": most}
    return pytest.param(Protection("LIMIT_EXCEEDED", refused, allowed, settings, status, told), id=name)


def row(name: str, code: str, refused: dict[str, Any], allowed: dict[str, Any], **more: Any) -> Any:
    return pytest.param(Protection(code, refused, allowed, **more), id=name)


ME = "{ me { name } }"
NUMBERED = "query($n: Int) { products(first: $n) { upc } }"
LISTS = "{ __schema { types { fields { name FIELDS } } } }"
ADD = 'mutation { addReview(input: {body: "b", product: "lamp"}) { id } }'
HASH = hashlib.sha256(ME.encode()).hexdigest()


def sized(size: int) -> dict[str, Any]:
    body = json.dumps({"query": ME}).encode()
    return {"content": body + b" " * (size - len(body)), "headers": {"content-type": "application/json"}}


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 2):
        value = {"a": value}
    return {"unused": value}


def inline(levels: int) -> str:
    """Return a query of as many brackets inside one another."""
    return "{ me {" + "... {" * (levels - 2) + "name" + "}" * levels


def chain(levels: int) -> str:
    """Return a query with fields and fragments as deep as said, in a document without deep brackets."""
    links = "".join(f" fragment F{i} on User {{ ...F{i + 1} }}" for i in range(levels - 2))
    return f"{{ me {{ ...F0 }} }}{links} fragment F{levels - 2} on User {{ name }}"


def wide(fields: int) -> str:
    """Return introspection of as many fields, among which none is repeated often."""
    names = ("name", "kind", "description")
    return "{ __schema { types { " + " ".join(names[number % 3] for number in range(fields - 1)) + "} } }"


def hashed(sha256: str) -> dict[str, Any]:
    return {"query": ME, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256}}}


PROTECTIONS = [
    limit("max_request_bytes", 1024, sized(1025), sized(1024), 413),
    limit("max_batch", 2, {"json": [{"query": ME}] * 3}, {"json": [{"query": ME}] * 2}),
    limit("max_tokens", 6, asked("{ me { name id } }"), asked(ME)),
    limit("max_depth", 2, asked("{ me { reviews { id } } }"), asked(ME)),
    limit("max_height", 3, asked("{ me { name id } users { id } }"), asked("{ me { name id } }")),
    limit("max_aliases", 1, asked("{ a: me { b: name } }"), asked("{ a: me { name } }")),
    limit("max_root_fields", 1, asked("{ me { id } users { id } }"), asked(ME)),
    limit(
        "max_directives",
        1,
        asked("{ me @skip(if: false) { id @skip(if: false) } }"),
        asked("{ me @skip(if: false) { id } }"),
    ),
    limit(
        "max_introspection_depth",
        1,
        asked(LISTS.replace("FIELDS", "type { fields { name } }")),
        asked(LISTS.replace("FIELDS", "")),
    ),
    limit("max_variables_bytes", 7, asked(NUMBERED, {"n": 10}), asked(NUMBERED, {"n": 1})),
    limit("variables_depth", 100, asked(ME, nested(101)), asked(ME, nested(100))),
    limit("nesting", 100, asked(inline(101)), asked(inline(100))),
    limit("levels", 120, asked(chain(121)), asked(chain(120))),
    limit("comparisons", 200_000, asked("{ me {" + " id" * 633 + "} }"), asked("{ me {" + " id" * 632 + "} }")),
    limit("introspection_fields", 1000, asked(wide(1001)), asked(wide(1000))),
    row(
        "cost",
        "COST_EXCEEDED",
        asked("{ products { upc } me { id } }"),
        asked("{ products { upc } }"),
        settings={"demand": {"mode": "enforce", "max_cost": 10, "default_list_size": 10}},
        extensions={"cost": 11, "most": 10},
    ),
    row(
        "a form, which any page may send",
        "CSRF_PREVENTED",
        {"data": {"query": ME}},
        asked(ME),
        status=415,
    ),
    row(
        "a request by GET without a header that browsers ask for",
        "CSRF_PREVENTED",
        {"method": "GET", "params": {"query": ME}},
        {"method": "GET", "params": {"query": ME}, "headers": {"apollo-require-preflight": "1"}},
        settings={"csrf": {"protect_get": True}},
        status=403,
    ),
    row(
        "a media type that is not read",
        "UNSUPPORTED_MEDIA_TYPE",
        {"content": ME, "headers": {"content-type": "application/graphql"}},
        asked(ME),
        status=415,
    ),
    row(
        "an answer in no media type that there is",
        "NOT_ACCEPTABLE",
        asked(ME, headers={"accept": "text/csv"}),
        asked(ME, headers={"accept": "text/csv, */*;q=0.1"}),
        status=406,
    ),
    row(
        "a mutation by GET",
        "METHOD_NOT_ALLOWED",
        {"method": "GET", "params": {"query": ADD}},
        {"method": "GET", "params": {"query": ME}},
        status=405,
    ),
    row("a request that is none", "BAD_REQUEST", {"json": {"query": 3}}, asked(ME)),
    row("a list where batches are off", "BAD_REQUEST", {"json": [{"query": ME}]}, asked(ME)),
    row(
        "a hash of another document",
        "PERSISTED_QUERY_MISMATCH",
        {"json": hashed("0" * 64)},
        {"json": hashed(HASH)},
    ),
    row(
        "a hash that nobody has registered",
        "PERSISTED_QUERY_NOT_FOUND",
        {"json": {"extensions": hashed(HASH)["extensions"]}},
        {"json": hashed(HASH)},
        status=200,
    ),
    row(
        "a hash alone where nothing is registered",
        "PERSISTED_QUERY_NOT_SUPPORTED",
        {"json": {"extensions": hashed(HASH)["extensions"]}},
        {"json": hashed(HASH)},
        settings={"documents": {"automatic": {"enabled": False}}},
        status=200,
    ),
    row(
        "a caller without credentials",
        "UNAUTHENTICATED",
        asked(ME),
        asked(ME, headers={"x-api-key": KEY}),
        settings={"identity": KEYS},
        status=401,
    ),
    row(
        "a field whose scope the caller lacks",
        "UNAUTHORIZED_FIELD_OR_TYPE",
        asked("{ me { salary } }"),
        asked("{ me { salary } }", headers={"x-api-key": KEY}),
        settings={"identity": {**KEYS, "anonymous": True}, "authorization": {"mode": "reject"}},
        status=403,
        extensions={"coordinates": ["User.salary"]},
    ),
    row(
        "introspection that is closed",
        "INTROSPECTION_DISABLED",
        asked("{ __schema { queryType { name } } }"),
        asked("{ __typename }"),
        settings={"introspection": {"enabled": False}},
        status=403,
        extensions={"coordinates": ["__schema"]},
    ),
]


@asynccontextmanager
async def asking(settings: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    async with IN_PROCESS.with_settings(**settings).build() as gateway:
        transport = httpx.ASGITransport(gateway.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


@pytest.mark.parametrize("case", PROTECTIONS)
async def test_what_a_protection_refuses_and_the_neighbour_that_it_allows(case):
    async with asking(case.settings) as client:
        refused = await client.request(**{"method": "POST", "url": "/graphql", **case.refused})
        allowed = await client.request(**{"method": "POST", "url": "/graphql", **case.allowed})
    error = refused.json()["errors"][0]
    told = {key: value for key, value in error["extensions"].items() if key != "code"}
    assert (refused.status_code, error["extensions"]["code"], told) == (case.status, case.code, case.extensions)
    answers = allowed.json() if isinstance(allowed.json(), list) else [allowed.json()]
    assert allowed.status_code == 200
    assert [set(answer) for answer in answers] == [{"data"}] * len(answers)


_E2E = "e2e/gateway/"
_POLICIES = "unit/gateway/policies/"
_SERVER = "unit/gateway/server/"
_TRANSPORT = "unit/gateway/transport/"
ELSEWHERE = {
    "upload_places": [
        _E2E + "test_uploads.py::test_as_many_places_as_an_upload_may_name_are_filled_and_one_more_is_refused"
    ],
    "max_upload_bytes": [_E2E + "test_uploads.py::test_an_upload_at_the_limit_is_passed_on_and_one_above_it_refused"],
    "max_connections": [
        _E2E + "test_slow_senders.py::test_one_connection_more_than_allowed_is_refused_and_there_is_room_when_one_ends"
    ],
    "UPLOAD_REFUSED": [_E2E + "test_uploads.py::test_an_upload_at_the_limit_is_passed_on_and_one_above_it_refused"],
    "REQUEST_TIMEOUT": [
        _E2E + "test_slow_senders.py::test_a_sender_that_trickles_is_cut_and_told_why",
        _E2E + "test_slow_senders.py::test_a_sender_that_is_slow_but_fair_is_served_beside_one_that_trickles",
    ],
    "RATE_LIMITED": [
        _E2E + "test_admission.py::test_a_used_up_allowance_is_answered_with_429_and_when_to_try_again",
    ],
    "OVERLOADED": [
        _E2E + "test_admission.py::test_more_than_the_gateway_can_do_is_refused_at_once_and_the_rest_is_answered",
        _POLICIES + "test_rates_and_load.py::test_some_run_a_few_wait_in_order_and_the_rest_is_refused_at_once",
    ],
    "PERSISTED_DOCUMENT_REQUIRED": [_E2E + "test_edge.py::test_only_trusted_documents_run_where_they_are_required"],
    "IDENTITY_UNAVAILABLE": [
        _E2E + "test_identity.py::test_without_keys_a_token_is_answered_with_503_and_anonymous_requests_as_before",
    ],
    "IDEMPOTENCY_KEY_INVALID": [
        _E2E + "test_idempotency.py::test_a_key_that_is_not_clear_is_refused_before_anything_is_sent",
        _E2E + "test_idempotency.py::test_the_header_is_a_string_of_structured_fields",
    ],
    "IDEMPOTENCY_KEY_MISMATCH": [
        _E2E + "test_idempotency.py::test_a_mismatch_has_status_400_over_http_and_the_header_can_be_switched_off",
    ],
    "IDEMPOTENCY_KEY_REUSED": [_E2E + "test_idempotency.py::test_a_key_stands_for_one_request"],
    "IDEMPOTENCY_KEY_IN_USE": [
        _E2E + "test_idempotency.py::test_only_the_same_caller_and_key_are_refused_and_a_cancelled_one_frees_them",
    ],
    "SLOW_CLIENT": [
        _E2E + "test_result_sharing.py::test_a_client_that_does_not_read_is_told_after_which_event_to_go_on",
        _SERVER + "test_streams.py::test_a_client_that_does_not_read_loses_the_stream_and_learns_where",
        _SERVER + "test_streams.py::test_a_burst_larger_than_the_buffer_reaches_a_client_that_reads",
    ],
    "GAP": [
        _E2E + "test_resumable.py::test_a_gap_at_the_subgraph_is_told_and_ends_the_stream",
        _E2E + "test_resumable.py::test_a_broken_stream_goes_on_after_the_last_event",
    ],
    "PLAN_BUDGET_EXCEEDED": [
        "plans/test_entities.py::test_an_operation_that_takes_too_long_to_plan_is_refused_and_a_smaller_one_is_not",
    ],
    "CIRCUIT_OPEN": [
        _E2E + "test_traffic.py::test_a_subgraph_that_always_fails_is_left_alone_and_the_others_answer",
        _TRANSPORT + "test_retry_and_circuit.py::test_a_subgraph_that_works_is_not_left_alone",
    ],
    "SUBGRAPH_TIMEOUT": [
        "contract/test_transport.py::test_a_late_answer_is_a_timeout",
        "contract/test_transport.py::test_a_request_is_answered_with_status_type_and_body",
    ],
    "SUBGRAPH_TOO_LARGE": ["contract/test_transport.py::test_a_body_at_the_limit_is_read_and_one_above_it_is_refused"],
    "EXTENSION_REFUSED": [_E2E + "test_extensions.py::test_an_operation_is_refused_and_its_neighbour_is_not"],
    "subscriptions.max_per_connection": [
        _E2E + "test_websocket.py::test_more_subscriptions_than_allowed_are_refused_and_the_neighbour_runs_on",
    ],
    "subscriptions.max_total": [
        _E2E + "test_websocket.py::test_more_subscriptions_than_allowed_are_refused_and_the_neighbour_runs_on",
    ],
    "subscriptions.max_per_client": [
        _E2E + "test_streams.py::test_a_client_has_no_more_streams_than_allowed_and_its_neighbour_has_its_own",
    ],
}
"""Tests of a code, a limit of requests or a limit of subscriptions, each with its neighbour, in other files."""

NO_PROTECTIONS = {
    "CONFIG_INVALID",
    "COMPOSITION_FAILED",
    "SUPERGRAPH_INVALID",
    "SUPERGRAPH_FEATURE_UNSUPPORTED",
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "OPERATION_RESOLUTION_FAILED",
    "BAD_USER_INPUT",
    "NO_PATH",
    "REQUIREMENT_CYCLE",
    "SUBGRAPH_UNAVAILABLE",
    "SUBGRAPH_BAD_STATUS",
    "SUBGRAPH_MALFORMED",
    "SUBGRAPH_ERROR",
    "SUBSCRIPTION_ENDED",
    "STOPPING",
    "INVALID_RESULT",
    "EXTENSION_FAILED",
    "INTERNAL_ERROR",
}
"""Codes that tell of faults: of a document, a setting, a subgraph, the gateway itself."""

HERE = [case.values[0] for case in PROTECTIONS]


def test_every_code_is_shown_to_refuse_and_to_allow_or_is_no_protection():
    shown = {case.code for case in HERE} | {name for name in ELSEWHERE if name.isupper()}
    assert shown | NO_PROTECTIONS == {str(code) for code in ErrorCode}
    assert shown & NO_PROTECTIONS == set()


def test_every_limit_is_shown_and_has_its_line_on_the_page():
    names = {case.extensions["limit"] for case in HERE if "limit" in case.extensions} | set(ELSEWHERE)
    limits = {name for name in LimitSettings.model_fields if name.startswith("max_")} - {*KEPT_IN_CACHES}
    subscriptions = {f"subscriptions.{name}" for name in SubscriptionSettings.model_fields if name.startswith("max_")}
    assert limits | subscriptions - {"subscriptions.max_waiting_events"} <= names
    told = set(re.findall(r"^\| `([\w.]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert told == {name for name in names if name.islower()} - REFUSED_OTHERWISE


@pytest.mark.parametrize("name", sorted({name for names in ELSEWHERE.values() for name in names}))
def test_what_is_shown_elsewhere_is_there(name):
    file, _, test = name.partition("::")
    assert re.search(rf"^(async )?def {test}\(", (TESTS / file).read_text(encoding="utf-8"), re.MULTILINE)
