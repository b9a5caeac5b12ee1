from __future__ import annotations

import gzip
import logging

import pytest

from gateway.errors import ErrorCode, InternalError, PlanningError, RequestError
from gateway.server.authorization import closed_coordinates
from gateway.server.failures import error_result
from gateway.server.negotiate import Accepted, ResponseKind, choose
from gateway.server.principal import ANONYMOUS, Principal
from gateway.server.request import read_query_string
from gateway.server.respond import respond
from gateway.server.streams import SubscriptionCounter
from gateway.supergraph import AuthorizationRule


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", Accepted(ResponseKind.JSON)),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Accepted(ResponseKind.JSON)),
        ("text/event-stream", Accepted(ResponseKind.EVENTS, ResponseKind.EVENTS, takes_json=False)),
        ("application/json, text/event-stream", Accepted(ResponseKind.JSON, ResponseKind.EVENTS)),
        (
            'multipart/mixed;boundary="graphql";subscriptionSpec=1.0, application/json;q=0.9',
            Accepted(ResponseKind.JSON, ResponseKind.PARTS),
        ),
        ("multipart/mixed;subscriptionSpec=1.0", Accepted(ResponseKind.JSON, ResponseKind.PARTS, takes_json=False)),
        ("multipart/mixed;subscriptionSpec=2.0", None),
        ("multipart/mixed", Accepted(ResponseKind.JSON, None, ResponseKind.DEFERRED, takes_json=False)),
        (
            "multipart/mixed;deferSpec=20220824, application/json",
            Accepted(ResponseKind.JSON, None, ResponseKind.DEFERRED_2022),
        ),
        (
            "application/graphql-response+json, text/event-stream, multipart/mixed;incrementalSpec=v0.2",
            Accepted(ResponseKind.GRAPHQL, ResponseKind.EVENTS, ResponseKind.DEFERRED),
        ),
        ("application/json;q=0", None),
        ("application/json;q=high", None),
        ("image/png", None),
    ],
)
def test_the_kind_of_answer_follows_accept(accept, kind):
    assert choose(accept) == kind


RULES = {
    "User.email": AuthorizationRule(authenticated=True),
    "User.salary": AuthorizationRule(scopes=(("a", "b"), ("c",))),
    "Report": AuthorizationRule(authenticated=True, policies=(("p",),)),
}


@pytest.mark.parametrize(
    ("principal", "closed"),
    [
        (ANONYMOUS, {"User.email", "User.salary", "Report"}),
        (Principal("x"), {"User.salary", "Report"}),
        (Principal("x", frozenset("a")), {"User.salary", "Report"}),
        (Principal("x", frozenset("ab")), {"Report"}),
        (Principal("x", frozenset("c"), frozenset("p")), set()),
        (Principal(None, frozenset("c"), frozenset("p")), {"User.email", "Report"}),
    ],
)
def test_a_coordinate_is_closed_unless_every_rule_on_it_is_met(principal, closed):
    assert closed_coordinates(RULES, principal) == closed


def test_a_bug_is_masked_and_logged_under_an_id(caplog):
    with caplog.at_level(logging.ERROR, "gateway"):
        for error in (ValueError("secret detail"), InternalError("broken invariant")):
            found = error_result(error).to_dict()["errors"][0]
            assert found["extensions"]["code"] == "INTERNAL_ERROR"
            assert found["extensions"]["correlationId"] in caplog.text
            assert str(error) not in found["message"]
    assert "secret detail" in caplog.text


def test_what_a_client_may_know_is_shown():
    planning = PlanningError(ErrorCode.NO_PATH, "A.b: nobody has it")
    assert error_result(planning).errors == [{"message": "A.b: nobody has it", "extensions": {"code": "NO_PATH"}}]


def test_a_query_string_has_json_inside():
    found = read_query_string(b"query=%7Ba%7D&variables=%7B%22x%22:1%7D&operationName=N&other=1")
    assert (found.query, found.variables, found.operation_name) == ("{a}", {"x": 1}, "N")
    with pytest.raises(RequestError):
        read_query_string("query=ä".encode())
    with pytest.raises(RequestError):
        read_query_string(b"&".join(b"query=1" for _ in range(30)))


def test_a_counter_is_full_at_its_limit_and_free_again():
    counter = SubscriptionCounter(1)
    give_back = counter.take()
    with pytest.raises(RequestError) as refused:
        counter.take()
    assert refused.value.extensions == {"limit": "subscriptions.max_total", "most": 1}
    give_back()
    counter.take()


def test_a_client_that_holds_many_streams_leaves_room_for_others():
    def refusal(client: str) -> object:
        with pytest.raises(RequestError) as refused:
            counter.take(client)
        return refused.value.extensions["limit"]

    counter = SubscriptionCounter(3, 2)
    held = [counter.take("a"), counter.take("a")]
    assert refusal("a") == "subscriptions.max_per_client"
    counter.take("b")
    assert refusal("c") == "subscriptions.max_total"
    held[0]()
    assert counter.running == 2
    counter.take("a")


@pytest.mark.parametrize("size", [10, 1_000_000], ids=["small", "so large that a thread does it"])
async def test_a_compressed_answer_is_whole(size):
    sent = []

    async def send(message):
        sent.append(message)

    await respond(send, 200, b"application/json", b"x" * size, encoding="gzip")
    headers = dict(sent[0]["headers"])
    assert headers[b"content-encoding"] == b"gzip"
    assert int(headers[b"content-length"]) == len(sent[1]["body"])
    assert gzip.decompress(sent[1]["body"]) == b"x" * size
