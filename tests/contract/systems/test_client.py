"""What the connectors' client makes of every kind of answer, over real sockets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from schema.enums import SourceSystem
from systems.client import ClientSettings, VendorClient
from systems.errors import (
    AuthFailed,
    Conflict,
    ConnectorError,
    NotFound,
    RateLimited,
    Rejected,
    Unavailable,
    Unexpected,
)
from systems.outcome import Action, Outcome
from systems.ports import SystemCall
from tests.support.scripted_system import Reply, ScriptedSystem, scripted

OK = Reply(body=b'{"value": [1]}')
HTML = Reply(body=b"<html>maintenance</html>", content_type="text/html")
ERP = SourceSystem.CLOUD_ERP


def client(system: ScriptedSystem, **more: Any) -> VendorClient:
    settings = ClientSettings(system.url, timeout_s=more.pop("timeout_s", 5.0))
    return VendorClient(ERP, replace(settings, **more.pop("settings", {})), **more)


@pytest.mark.parametrize(
    ("replies", "sent"),
    [
        ([OK], 1),
        ([Reply(503), OK], 2),
        ([Reply(500, b"boom"), Reply(502), OK], 3),
        ([Reply(429, headers={"retry-after": "0"}), OK], 2),
        ([Reply(drop=True), OK], 2),
    ],
    ids=["at once", "after 503", "after 500 and 502", "after 429", "after a broken connection"],
)
async def test_a_read_is_answered_in_the_end(replies: list[Reply], sent: int) -> None:
    async with scripted(*replies) as system, client(system) as vendor:
        answer = await vendor.get("list orders", "/orders", {"$top": "1"})

    assert answer.body == {"value": [1]}
    assert [request.path for request in system.requests] == ["/orders?%24top=1"] * sent


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(404), NotFound),
        (Reply(409), Conflict),
        (Reply(412), Conflict),
        (Reply(400, b'{"error": {"code": "BadField"}}'), Rejected),
        (Reply(403), Unexpected),
        (Reply(418), Unexpected),
        (Reply(302, headers={"location": "http://elsewhere.example"}), Unexpected),
        (Reply(401), AuthFailed),
        (Reply(503), Unavailable),
        (Reply(429, headers={"retry-after": "0"}), RateLimited),
        (HTML, Unexpected),
        (Reply(body=b'{"value": [1'), Unexpected),
        (Reply(drop=True), Unavailable),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else f"{value.status} {value.content_type}",
)
async def test_a_bad_answer_is_one_of_our_errors(reply: Reply, kind: type[ConnectorError]) -> None:
    async with scripted(reply) as system, client(system) as vendor:
        with pytest.raises(kind) as caught:
            await vendor.get("list orders", "/orders")

    assert caught.value.system is ERP
    assert "list orders" in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [Reply(500), Reply(503), Reply(drop=True), HTML, Reply(stall=True, body=b'{"number": "SO-1"}')],
    ids=["500", "503", "broken connection", "HTML", "stall in the middle"],
)
async def test_a_write_is_sent_once_and_its_outcome_is_unknown(reply: Reply) -> None:
    async with scripted(reply) as system, client(system, timeout_s=0.5) as vendor:
        with pytest.raises(Unavailable) as caught:
            await vendor.send("create order", "POST", "/orders", {"number": "SO-1"})

    assert caught.value.outcome_unknown
    assert len(system.requests) == 1


async def test_a_write_that_never_left_is_known_not_to_be_done() -> None:
    vendor = VendorClient(ERP, ClientSettings("http://127.0.0.1:1", timeout_s=2))
    async with vendor:
        with pytest.raises(Unavailable) as caught:
            await vendor.send("create order", "POST", "/orders", {})
    assert not caught.value.outcome_unknown


async def test_a_system_that_never_answers_costs_the_deadline_and_no_more() -> None:
    async with scripted(Reply(stall=True, body=b"[1, 2, 3, 4]")) as system, client(system, timeout_s=0.3) as vendor:
        with pytest.raises(Unavailable, match=r"0\.3 s"):
            await vendor.get("list orders", "/orders")


async def test_a_retry_after_beyond_the_deadline_ends_the_call() -> None:
    limited = Reply(429, headers={"retry-after": "3600"})
    async with scripted(limited) as system, client(system, timeout_s=0.3) as vendor:
        with pytest.raises(RateLimited) as limits:
            await vendor.get("list orders", "/orders")
    assert limits.value.retry_after_s == 3600
    assert len(system.requests) == 1


async def test_a_reason_in_the_error_body_can_say_more_than_the_status() -> None:
    reasons = {"LIMIT": Outcome(Action.RATE_LIMITED, "the day's calls are used up", retry_after_s=900)}
    replies = (Reply(403, b'{"code": "LIMIT"}'), Reply(403, b'{"code": "OTHER"}'), Reply(403, b"<html>"))
    async with scripted(*replies) as system:
        read_refusal = lambda body: (body["code"], "no", ())  # noqa: E731
        async with client(system, own_reasons=reasons, read_refusal=read_refusal) as vendor:
            with pytest.raises(RateLimited) as limits:
                await vendor.get("list orders", "/orders")
            for _ in range(2):
                with pytest.raises(Unexpected, match="403"):
                    await vendor.get("list orders", "/orders")
    assert limits.value.retry_after_s == 900
    assert len(system.requests) == 3


async def test_a_form_is_sent_as_a_form_and_tried_again() -> None:
    async with scripted(Reply(503), OK) as system, client(system) as vendor:
        await vendor.submit("sign in", "/token", {"grant_type": "client_credentials", "secret": "a&b"})
    last = system.requests[-1]
    assert (last.method, last.body) == ("POST", b"grant_type=client_credentials&secret=a%26b")
    assert last.headers["content-type"] == "application/x-www-form-urlencoded"
    assert len(system.requests) == 2


async def test_an_answer_over_the_limit_is_not_read() -> None:
    async with (
        scripted(Reply(body=b'"' + b"x" * 4_000 + b'"')) as system,
        client(system, settings={"max_body_bytes": 1_000}) as vendor,
    ):
        with pytest.raises(Unexpected, match="larger than 1000"):
            await vendor.get("list orders", "/orders")


async def test_refused_credentials_are_renewed_once() -> None:
    asked: list[bool] = []

    async def authorize(again: bool) -> Mapping[str, str]:
        asked.append(again)
        return {"authorization": "Bearer new" if again else "Bearer old"}

    async with scripted(Reply(401), OK) as system, client(system, authorize=authorize) as vendor:
        await vendor.send("create order", "POST", "/orders", {})

    assert asked == [False, True]
    assert [request.headers["authorization"] for request in system.requests] == ["bearer old", "bearer new"]


async def test_a_vendor_reads_its_own_refusals_and_statuses() -> None:
    def read(body: Any) -> tuple[str, str, tuple[str, ...]]:
        return body["error"]["code"], body["error"]["message"], ("quantity",)

    own = {404: Outcome(Action.REJECT, "a vendor's own meaning")}
    reply = Reply(404, b'{"error": {"code": "Blocked", "message": "customer is blocked"}}')
    async with scripted(reply) as system, client(system, read_refusal=read, own_outcomes=own) as vendor:
        with pytest.raises(Rejected, match="customer is blocked") as caught:
            await vendor.send("create order", "POST", "/orders", {})

    assert (caught.value.reason, caught.value.fields) == ("Blocked", ("quantity",))


async def test_every_call_is_reported_without_what_was_in_it() -> None:
    calls: list[SystemCall] = []
    async with scripted(OK, Reply(404)) as system, client(system, observer=calls.append) as vendor:
        await vendor.get("list orders", "/orders", {"secret": "4711"})
        with pytest.raises(NotFound):
            await vendor.get("read order", "/orders/4711")

    assert [(call.operation, call.error_code) for call in calls] == [
        ("list orders", None),
        ("read order", "SYSTEM_NOT_FOUND"),
    ]
    assert "4711" not in repr(calls)


async def test_an_answer_without_a_body_is_none() -> None:
    async with scripted(Reply(204, b"")) as system, client(system) as vendor:
        assert (await vendor.send("cancel", "DELETE", "/orders/1")).body is None
