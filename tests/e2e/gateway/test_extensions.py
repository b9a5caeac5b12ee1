"""Code of the operator's own in the gateway: what each hook sees and may do, over every protocol."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

import httpx
import orjson
import pytest

from gateway.extensions import Answer, Extension, Fetch, Refused, Request
from gateway.server.principal import Principal
from gateway.server.request import KnownClient, RequestContext
from tests.e2e.gateway.test_defer import FIRST, PENDING, PRESENT, QUERY
from tests.e2e.gateway.test_gateway import IN_PROCESS, PRICES, http
from tests.e2e.gateway.test_streams import EVENTS, parts
from tests.e2e.gateway.test_websocket import INIT, ask, receive, socket, subscribe
from tests.support.extensions import Guard, Recorder, Signer, Stamp, Teller
from tests.support.testkit import TestGateway

TWO_FETCHES = "query Name($with: Boolean!) { me { name reviews @include(if: $with) { body } } }"
GOOD = "query Good { me { name reviews { body } } products(first: 1) { upc } }"
BAD = "query Bad { me { name reviews { body } } products(first: 1) { upc } }"
ME = {"me": {"name": "Ada", "reviews": [{"body": "sturdy"}, {"body": "bright"}]}}
ALL = {**ME, "products": [{"upc": "table"}]}
ALL_BUT_ME = {**ALL, "me": None}
SECRET = "the reason that nobody may see"
WHO = '{ header(name: "x-who") }'


def with_(*extensions: Extension, **settings: Any) -> TestGateway:
    return IN_PROCESS.with_settings(**settings).with_extensions(*extensions)


async def post(client: httpx.AsyncClient, query: str, **more: Any) -> httpx.Response:
    return await client.post("/graphql", json={"query": query}, **more)


async def test_hooks_run_in_the_order_of_the_list_and_back_in_the_reverse_order():
    log: list[str] = []
    async with http(with_(Recorder("a", log), Recorder("b", log))) as client:
        answer = await post(client, "{ me { name } }")
        assert answer.json() == {"data": {"me": {"name": "Ada"}}}
    assert log == [
        *("a open", "b open"),
        *("a request", "b request", "a plan", "b plan", "a fetch accounts", "b fetch accounts"),
        *("b fetched accounts", "a fetched accounts", "b response", "a response"),
        *("b close", "a close"),
    ]


async def test_hooks_are_told_who_asks_what_and_how_it_is_answered():
    recorder = Recorder()
    demand = {"mode": "measure"}
    kit = with_(recorder, demand=demand).with_identity(lambda _: Principal("ada"))
    async with http(kit) as client:
        headers = {"x-tenant": "north", "graphql-client-name": "shop"}
        body = {"query": TWO_FETCHES, "variables": {"with": True}}
        await client.post("/graphql", json=body, headers=headers)
    (request,), (plan,), (answer,) = recorder.requests, recorder.plans, recorder.answers
    assert (request.kind, request.name, request.variables) == ("query", "Name", {"with": True})
    assert (request.principal.subject, request.client.name) == ("ada", "shop")
    assert (request.headers["x-tenant"], request.headers.get("x-other")) == ("north", None)
    assert len(request.digest) == 16
    assert (plan.fetches, plan.subgraphs) == (2, ("accounts", "reviews"))
    assert plan.cost is not None
    assert [fetch.request for fetch in recorder.fetches] == [request, request]
    assert [json.loads(fetch.body).keys() >= {"query"} for fetch in recorder.fetches] == [True, True]
    assert [(outcome.status, outcome.code) for outcome in recorder.outcomes] == [(200, None), (200, None)]
    assert all(outcome.seconds > 0 for outcome in recorder.outcomes)
    assert (answer.data, answer.errors) == (ME, ())


@pytest.mark.parametrize("hook", ["request", "plan"])
async def test_an_operation_is_refused_and_its_neighbour_is_not(hook):
    recorder = Recorder()
    refusal = Refused("come back later", reason="CLOSED", http_status=429, retry_after_s=7)
    async with http(with_(Guard(hook, refusal), recorder)) as client:
        refused, allowed = await post(client, BAD), await post(client, GOOD)
    extensions = {"code": "EXTENSION_REFUSED", "reason": "CLOSED", "retryable": True}
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
    assert refused.json() == {"errors": [{"message": "come back later", "extensions": extensions}]}
    assert allowed.json() == {"data": ALL}
    assert [fetch.request.name for fetch in recorder.fetches] == ["Good"] * 3


@pytest.mark.parametrize("subgraph_errors", ["shown", "masked"])
async def test_a_request_to_a_subgraph_is_refused_and_the_others_are_not(subgraph_errors):
    kit = with_(Guard("fetch", Refused("not today", reason="CLOSED")), errors={"subgraph_errors": subgraph_errors})
    async with http(kit) as client:
        refused, allowed = await post(client, BAD), await post(client, GOOD)
    (error,) = refused.json()["errors"]
    assert refused.status_code == 200
    assert error == {
        "message": "not today",
        "path": ["me"],
        "extensions": {
            "code": "EXTENSION_REFUSED", "subgraph": "reviews", "retryable": False, "reason": "CLOSED"
        },
    }  # fmt: skip
    assert refused.json()["data"] == ALL_BUT_ME
    assert allowed.json() == {"data": ALL}


@pytest.mark.parametrize(
    ("hook", "status", "data", "codes"),
    [
        pytest.param("request", 500, None, ["EXTENSION_FAILED"], id="request"),
        pytest.param("plan", 500, None, ["EXTENSION_FAILED"], id="plan"),
        pytest.param("fetch", 200, ALL_BUT_ME, ["EXTENSION_FAILED"], id="fetch"),
        pytest.param("fetched", 200, ALL, [], id="fetched, which only takes note"),
        pytest.param("response", 200, ALL, ["EXTENSION_FAILED"], id="response, after all was done"),
    ],
)
async def test_a_hook_that_fails_is_named_in_the_log_and_its_reason_is_kept_there(hook, status, data, codes, caplog):
    async with http(with_(Guard(hook, KeyError(SECRET)))) as client:
        with caplog.at_level(logging.ERROR, "gateway"):
            answer = await post(client, BAD)
        allowed = await post(client, GOOD)
    found = answer.json()
    errors = found.get("errors", [])
    assert (answer.status_code, found.get("data")) == (status, data)
    assert [error["extensions"]["code"] for error in errors] == codes
    assert SECRET not in answer.text
    logged = caplog.text
    assert f"extension Guard failed in {hook}" in logged
    assert SECRET in logged
    for error in errors:
        assert error["extensions"]["correlationId"] in logged
    assert allowed.json() == {"data": ALL}


async def test_a_response_hook_that_refuses_has_failed_since_the_work_is_done():
    async with http(with_(Guard("response", Refused("too late")))) as client:
        found = (await post(client, BAD)).json()
    assert found["data"] == ALL
    assert found["errors"][0]["extensions"]["code"] == "EXTENSION_FAILED"


async def test_what_is_no_json_in_the_extensions_of_an_answer_is_a_failure_of_the_one_who_put_it_there():
    async with http(with_(Stamp(object()))) as client:
        found = (await post(client, GOOD)).json()
    assert found["data"] == ALL
    assert [error["extensions"]["code"] for error in found["errors"]] == ["EXTENSION_FAILED"]
    assert "extensions" not in found


class Waits(Extension):
    """Waits for ever in one hook."""

    def __init__(self, hook: str) -> None:
        self._hook = hook

    async def request(self, request: Request) -> None:
        await self._wait("request")

    async def fetch(self, fetch: Fetch) -> None:
        await self._wait("fetch")

    async def response(self, request: Request, answer: Answer) -> None:
        await self._wait("response")

    async def _wait(self, hook: str) -> None:
        if hook == self._hook:
            await asyncio.Event().wait()


@pytest.mark.parametrize("hook", ["request", "fetch", "response"])
async def test_a_hook_that_never_ends_is_over_with_the_time_for_the_operation(hook):
    async with asyncio.timeout(30), http(with_(Waits(hook), traffic={"operation_timeout": "500ms"})) as client:
        found = (await post(client, "{ me { name } }", timeout=30)).json()
    assert found["errors"][0]["extensions"]["code"] == "EXTENSION_FAILED"
    assert bool(found.get("data", {}).get("me")) == (hook == "response")


async def test_a_hook_that_never_ends_does_not_keep_a_stream_waiting_for_ever():
    body = {"query": PRICES, "variables": {"upcs": ["table"]}}
    kit = with_(Waits("fetch"), traffic={"operation_timeout": "500ms"})
    async with asyncio.timeout(30), http(kit) as client:
        response = await client.post("/graphql", json=body, headers={"accept": EVENTS}, timeout=30)
    assert "EXTENSION_FAILED" in response.text


class Blocks(Extension):
    """Computes for longer than the operation may take, without a pause."""

    async def fetch(self, fetch: Fetch) -> None:
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            pass


async def test_a_request_is_not_sent_when_hooks_have_used_up_its_time():
    recorder = Recorder()
    async with http(with_(Blocks(), recorder, traffic={"operation_timeout": "200ms"})) as client:
        found = (await post(client, "{ me { name } }", timeout=30)).json()
    assert found["errors"][0]["extensions"]["code"] == "SUBGRAPH_TIMEOUT"
    assert recorder.outcomes == []


async def test_refusals_and_failures_are_counted_by_their_code():
    kit = with_(
        Guard("request", Refused("no", reason="CLOSED")), telemetry={"metrics": True, "metrics_path": "/metrics"}
    )
    async with http(kit) as client:
        await post(client, BAD)
        text = (await client.get("/metrics")).text
    assert 'gateway_refused_total{code="EXTENSION_REFUSED"} 1.0' in text


async def test_headers_of_a_request_to_a_subgraph_are_added_and_replaced():
    kit = with_(Teller(), headers={"propagate": ["x-who"]}).with_identity(lambda _: Principal("ada"))
    async with http(kit) as client:
        answer = await post(client, WHO, headers={"x-who": "somebody else"})
    assert answer.json() == {"data": {"header": "ada"}}


async def test_an_answer_gets_extensions_and_headers_beside_those_of_the_gateway():
    kit = with_(Stamp(), Stamp(), demand={"mode": "measure", "report": True})
    async with http(kit) as client:
        answer = await post(client, GOOD)
    assert answer.json()["data"] == ALL
    assert answer.json()["extensions"].keys() == {"cost", "stamp"}
    assert answer.headers.get_list("x-stamp") == ["stamped"]


async def test_each_operation_of_a_batch_passes_by_itself():
    recorder = Recorder()
    kit = with_(Guard("request", Refused("no")), recorder, Stamp(), limits={"max_batch": 5})
    async with http(kit) as client:
        answer = await client.post("/graphql", json=[{"query": GOOD}, {"query": BAD}])
    good, bad = answer.json()
    assert (good["data"], good["extensions"]) == (ALL, {"stamp": "stamped"})
    assert bad["errors"][0]["extensions"]["code"] == "EXTENSION_REFUSED"
    assert [request.name for request in recorder.requests] == ["Good"]
    assert "x-stamp" not in answer.headers


async def test_deferred_parts_follow_an_answer_that_was_added_to():
    recorder = Recorder()
    async with http(with_(recorder, Stamp())) as client:
        response = await post(client, QUERY, headers={"accept": PRESENT})
        refusing = with_(Guard("request", Refused("no")))
    first, *later = parts(response.text)
    assert first == {**FIRST, "extensions": {"stamp": "stamped"}, "pending": [PENDING], "hasNext": True}
    assert all("extensions" not in part for part in later)
    assert len(recorder.answers) == 1
    async with http(refusing) as client:
        refused = await post(client, QUERY.replace("query Q", "query Bad"), headers={"accept": PRESENT})
    assert refused.json()["errors"][0]["extensions"]["code"] == "EXTENSION_REFUSED"


async def test_each_event_of_a_subscription_is_added_to():
    recorder = Recorder()
    body = {"query": PRICES, "variables": {"upcs": ["table", "chair"]}}
    async with http(with_(recorder, Stamp())) as client:
        response = await client.post("/graphql", json=body, headers={"accept": EVENTS})
    events = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    assert [event["extensions"] for event in events] == [{"stamp": "stamped"}] * 2
    assert recorder.log.count("recorder request") == recorder.log.count("recorder plan") == 1
    assert [fetch.subgraph for fetch in recorder.fetches if fetch.is_stream] == ["catalog"]
    assert {"reviews", "accounts"} == {fetch.subgraph for fetch in recorder.fetches if not fetch.is_stream}
    assert [outcome.code for outcome in recorder.outcomes] == [None] * len(recorder.outcomes)
    assert len(recorder.answers) == 2


@pytest.mark.parametrize("hook", ["request", "plan"])
async def test_a_subscription_is_refused_as_one_event(hook):
    body = {"query": PRICES.replace("Prices", "Bad"), "variables": {"upcs": ["table"]}}
    async with http(with_(Guard(hook, Refused("no", reason="CLOSED")))) as client:
        response = await client.post("/graphql", json=body, headers={"accept": EVENTS})
    assert '"reason":"CLOSED"' in response.text
    assert response.text.count("event: next") == 1


async def test_a_stream_that_may_not_start_ends_with_the_reason():
    class Closed(Extension):
        async def fetch(self, fetch: Fetch) -> None:
            if fetch.is_stream:
                raise Refused("no streams today", reason="CLOSED")

    body = {"query": PRICES, "variables": {"upcs": ["table"]}}
    async with http(with_(Closed())) as client:
        response = await client.post("/graphql", json=body, headers={"accept": EVENTS})
    (event,) = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    assert event["errors"][0]["extensions"]["reason"] == "CLOSED"


async def test_operations_over_a_websocket_pass_with_the_headers_of_its_start():
    recorder = Recorder()
    async with socket(with_(Guard("request", Refused("no")), recorder, Stamp()), init=False) as opened:
        assert await ask(opened, {**INIT, "payload": {"X-Tenant": "north"}}) == {"type": "connection_ack"}
        query = await ask(opened, subscribe("1", GOOD))
        assert (await receive(opened))["type"] == "complete"
        event = await ask(opened, subscribe("2", PRICES, upcs=["table"]))
        assert (await receive(opened))["type"] == "complete"
        refused = await ask(opened, subscribe("3", BAD))
    assert query["payload"] == {"data": ALL, "extensions": {"stamp": "stamped"}}
    assert event["payload"]["extensions"] == {"stamp": "stamped"}
    assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "EXTENSION_REFUSED")
    assert [request.headers["x-tenant"] for request in recorder.requests] == ["north", "north"]


async def test_what_is_called_in_the_process_passes_too():
    async with with_(Guard("request", Refused("no")), Stamp()).build() as gateway:
        refused, answer = await gateway.execute(BAD), await gateway.execute(GOOD)
    assert (refused.data, refused.errors[0]["extensions"]) == (None, {"code": "EXTENSION_REFUSED"})
    assert orjson.loads(answer.to_bytes()) == {"data": ALL, "extensions": {"stamp": "stamped"}}
    assert answer.headers == (("x-stamp", "stamped"),)


class OneProgram(Extension):
    """Lets one program in."""

    async def request(self, request: Request) -> None:
        if request.client.name != "shop":
            raise Refused("another program")


async def test_clients_that_ask_the_same_are_not_taken_for_each_other_before_they_have_passed():
    kit = with_(OneProgram(), traffic={"share_client_requests": True})
    async with http(kit) as client:
        both = await asyncio.gather(
            *(post(client, GOOD, headers={"graphql-client-name": name}) for name in ("shop", "other"))
        )
    assert [answer.status_code for answer in both] == [200, 403]


async def test_requests_to_subgraphs_are_shared_by_those_alone_for_whom_hooks_made_them_the_same():
    async with with_(Teller(), Signer(), traffic={"share_subgraph_requests": True}).build() as gateway:
        contexts = [RequestContext(Principal(name), client=KnownClient(name)) for name in ("ada", "bo", "ada")]
        found = await asyncio.gather(*(gateway.execute(WHO, context=context) for context in contexts))
    assert [result.data["header"] for result in found] == ["ada", "bo", "ada"]
