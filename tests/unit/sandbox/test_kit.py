"""What every sandbox does, whatever vendor it plays: state, faults, clock, webhooks."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.kit.clock import SandboxClock
from sandbox.kit.faults import FaultProfile, read_profile
from sandbox.kit.host import Host, SandboxSettings, build_app
from sandbox.kit.store import Store
from sandbox.kit.webhooks import signature
from sandbox.world.model import WorldModel
from tests.support.sandboxes import ServedSandbox, serve_sandbox
from tests.support.serving import serve_asgi

WITHIN_S = 60


class Counter:
    """A vendor with one number: POST adds to it and sends a webhook."""

    name = "wms"
    schema = "CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"

    def __init__(self) -> None:
        self.worked = 0
        self.ticked = asyncio.Event()

    def seed(self, store: Store, world: WorldModel) -> None:
        store.execute("INSERT INTO counter VALUES (1, 0)")

    def routes(self, host: Host) -> Sequence[BaseRoute]:
        async def add(_: Request) -> Response:
            with host.store.transaction():
                host.store.execute("UPDATE counter SET n = n + 1")
                n = self.count(host.store)
                host.webhooks.send("counted", {"n": n}, key=str(n))
            return JSONResponse({"n": n})

        async def read(_: Request) -> Response:
            return JSONResponse({"n": self.count(host.store)})

        async def broken(_: Request) -> Response:
            raise RuntimeError("a bug")

        return [
            Route("/counter", add, methods=["POST"]),
            Route("/counter", read, methods=["GET"]),
            Route("/broken", broken),
        ]

    def failure(self, status: int, message: str) -> Response:
        return JSONResponse({"vendor_says": message}, status_code=status)

    async def work(self, host: Host) -> None:
        self.worked += 1
        if self.worked == 1:
            raise RuntimeError("stumbled")
        await host.clock.wait(timedelta(hours=1))
        self.ticked.set()

    @staticmethod
    def count(store: Store) -> int:
        row = store.one("SELECT n FROM counter")
        assert row is not None
        return int(row["n"])


def no_world() -> WorldModel:
    return None  # type: ignore[return-value]


@pytest.fixture
async def served() -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(Counter(), no_world) as sandbox:
        yield sandbox


class Receiver:
    """An endpoint for webhooks that refuses the first ``refusals`` of them."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.got: list[tuple[dict[str, str], bytes]] = []
        self._more = asyncio.Condition()

    async def _receive(self, request: Request) -> Response:
        body = await request.body()
        async with self._more:
            self.got.append((dict(request.headers), body))
            self._more.notify_all()
        if self.refusals:
            self.refusals -= 1
            return Response(status_code=503)
        return Response(status_code=202)

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(WITHIN_S), self._more:
            await self._more.wait_for(lambda: len(self.got) >= count)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        async with serve_asgi(Starlette(routes=[Route("/hook", self._receive, methods=["POST"])])) as url:
            yield f"{url}/hook"


class TestFaults:
    async def test_a_sandbox_behaves_unless_told_otherwise(self, served: ServedSandbox):
        answers = [await served.http.get("/counter") for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}

    @pytest.mark.parametrize(
        ("profile", "status", "starts"),
        [
            pytest.param({"error_rate": 1}, 500, '{"vendor_says"', id="the vendor's own error body"),
            pytest.param({"error_rate": 1, "error_status": 502}, 502, '{"vendor_says"', id="with another status"),
            pytest.param({"html_rate": 1}, 200, "<html>", id="a proxy's page"),
            pytest.param({"garbage_rate": 1}, 200, '{"value": [{"id"', id="half a document"),
            pytest.param({"outages": [{"after_s": 0, "for_s": 60}]}, 503, '{"vendor_says"', id="an outage"),
            pytest.param({"hang_rate": 1, "hang_s": 0.01}, 504, '{"vendor_says"', id="never, up to a limit"),
        ],
    )
    async def test_a_profile_decides_what_a_request_gets(
        self, served: ServedSandbox, profile: dict[str, Any], status: int, starts: str
    ):
        await served.faults(**profile)
        answer = await served.http.get("/counter")
        assert (answer.status_code, answer.text[: len(starts)]) == (status, starts)

    async def test_a_limited_request_is_told_when_to_come_back(self, served: ServedSandbox):
        await served.faults(throttle_rate=1, retry_after_s=7)
        answer = await served.http.get("/counter")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")

    async def test_a_lost_answer_has_been_committed(self, served: ServedSandbox):
        await served.faults(lost_answer_rate=1, hang_s=60, only={"methods": ["POST"]})
        with pytest.raises(httpx.ReadTimeout):
            await served.http.post("/counter", timeout=0.2)
        assert (await served.http.get("/counter")).json() == {"n": 1}

    async def test_faults_keep_to_the_requests_that_they_are_meant_for(self, served: ServedSandbox):
        await served.faults(error_rate=1, only={"methods": ["post"], "path": "count"})
        assert (await served.http.get("/counter")).status_code == 200
        assert (await served.http.post("/counter")).status_code == 500

    async def test_the_same_seed_fails_the_same_requests(self, served: ServedSandbox):
        runs = []
        for _ in range(2):
            await served.faults(seed=5, error_rate=0.5)
            runs.append([(await served.http.get("/counter")).status_code for _ in range(30)])
        assert runs[0] == runs[1]
        assert set(runs[0]) == {200, 500}

    async def test_an_outage_ends(self, served: ServedSandbox):
        await served.faults(outages=[{"after_s": 0, "for_s": 0}])
        assert (await served.http.get("/counter")).status_code == 200

    async def test_faults_can_be_taken_back(self, served: ServedSandbox):
        await served.faults(error_rate=1)
        await served.http.delete("/_sandbox/faults")
        assert (await served.http.get("/counter")).status_code == 200

    @pytest.mark.parametrize(
        ("profile", "said"),
        [
            pytest.param({"eror_rate": 1}, "unknown key 'eror_rate'", id="a misspelt key is named"),
            pytest.param({"error_rate": 2}, "error_rate: give a number from 0 to 1", id="a rate above one"),
            pytest.param({"error_rate": True}, "error_rate", id="a boolean is no rate"),
            pytest.param({"latency_ms": {"median": 50, "p95": 20}}, "latency_ms.p95", id="a percentile below it"),
            pytest.param({"outages": [{"from": 0}]}, "accepted are after_s, for_s", id="an outage's keys"),
            pytest.param({"only": {"methods": "POST"}}, "only.methods", id="methods are a list"),
            pytest.param([], "give an object", id="not an object"),
        ],
    )
    def test_a_wrong_profile_is_explained(self, profile: object, said: str):
        with pytest.raises(ValueError, match=said):
            read_profile(profile)

    async def test_a_wrong_profile_leaves_the_current_one(self, served: ServedSandbox):
        await served.faults(error_rate=1)
        answer = await served.http.put("/_sandbox/faults", json={"error_rate": "often"})
        assert answer.status_code == 400
        assert "error_rate" in answer.json()["error"]
        assert (await served.http.get("/counter")).status_code == 500

    def test_latency_has_the_median_and_percentile_asked_for(self):
        profile = read_profile({"latency_ms": {"median": 20, "p95": 80}})
        assert (profile.latency_median_ms, profile.latency_p95_ms) == (20, 80)
        assert FaultProfile().latency_median_ms == 0


class TestVendorsWords:
    async def test_an_unknown_path_gets_the_vendors_error(self, served: ServedSandbox):
        answer = await served.http.get("/nothing")
        assert (answer.status_code, answer.json()) == (404, {"vendor_says": "no such resource"})

    async def test_a_bug_gets_the_vendors_error_without_details(self, served: ServedSandbox):
        answer = await served.http.get("/broken")
        assert (answer.status_code, answer.json()) == (500, {"vendor_says": "unexpected failure"})


class TestCalls:
    async def test_vendor_calls_are_counted_and_control_calls_are_not(self, served: ServedSandbox):
        await served.http.get("/counter")
        await served.http.post("/counter")
        await served.http.get("/counter")
        assert await served.calls() == {"GET /counter": 2, "POST /counter": 1}
        await served.reset_calls()
        assert await served.calls() == {}


class TestClock:
    async def test_a_waiter_is_woken_by_a_jump(self):
        clock = SandboxClock(datetime(2026, 1, 1, tzinfo=UTC))
        waiting = asyncio.create_task(clock.wait(timedelta(hours=1)))
        await asyncio.sleep(0)
        clock.advance(timedelta(hours=2))
        async with asyncio.timeout(WITHIN_S):
            await waiting
        assert clock.now() >= datetime(2026, 1, 1, 2, tzinfo=UTC)

    async def test_a_fast_clock_shortens_waits(self):
        clock = SandboxClock(datetime(2026, 1, 1, tzinfo=UTC), speed=100_000)
        async with asyncio.timeout(WITHIN_S):
            await clock.wait(timedelta(hours=2))

    async def test_background_work_that_fails_begins_again(self):
        vendor = Counter()
        async with serve_sandbox(vendor, no_world) as served:
            await served.http.put("/_sandbox/clock", json={"speed": 100_000})
            async with asyncio.timeout(WITHIN_S):
                await vendor.ticked.wait()
        assert vendor.worked == 2

    @pytest.mark.parametrize(
        "given", [{"speed": 0}, {"speed": -1}, {"advance_s": -5}, {"faster": 1}, {"speed": "x"}, []]
    )
    async def test_time_does_not_stop_or_run_back(self, served: ServedSandbox, given: object):
        assert (await served.http.put("/_sandbox/clock", json=given)).status_code == 400


class TestState:
    async def test_state_and_time_outlive_a_restart(self, tmp_path: Path):
        settings = SandboxSettings("wms", tmp_path / "wms.db")
        first = build_app(Counter(), settings, no_world)
        async with serve_asgi(first) as url, httpx.AsyncClient(base_url=url) as http:
            await http.post("/counter")
            await http.put("/_sandbox/clock", json={"advance_s": 86_400})
        second = build_app(Counter(), settings, lambda: pytest.fail("a filled store is not filled again"))
        async with serve_asgi(second) as url, httpx.AsyncClient(base_url=url) as http:
            assert (await http.get("/counter")).json() == {"n": 1}
            now = datetime.fromisoformat((await http.get("/_sandbox/health")).json()["now"])
        assert now - datetime.now(UTC) > timedelta(hours=23)

    def test_a_store_of_another_version_is_refused_with_what_to_do(self, tmp_path: Path):
        settings = SandboxSettings(name="counter", database=tmp_path / "counter.db")
        build_app(Counter(), settings, no_world).state.host.store.close()
        newer = Counter()
        newer.schema = f"{Counter.schema}; CREATE TABLE more (id TEXT)"
        with pytest.raises(ValueError, match="another version"):
            build_app(newer, settings, no_world)

    def test_a_failed_transaction_leaves_nothing(self):
        store = Store(None)
        store.script(Counter.schema)
        with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012 - the failure is in the transaction
            store.execute("INSERT INTO counter VALUES (1, 0)")
            raise RuntimeError
        assert store.query("SELECT * FROM counter") == []
        store.close()


class TestWebhooks:
    async def test_a_webhook_is_signed_and_tried_until_it_is_taken(self):
        receiver = Receiver(refusals=2)
        async with receiver.serve() as hook, serve_sandbox(Counter(), no_world, webhook_url=hook) as served:
            await served.http.post("/counter")
            await receiver.wait_for(3)
        headers, body = receiver.got[-1]
        signed = headers["x-wms-timestamp"].encode() + b"." + body
        expected = "sha256=" + hmac.new(b"sandbox-wms-webhook", signed, hashlib.sha256).hexdigest()
        assert headers["x-wms-signature"] == expected
        assert signature("sandbox-wms-webhook", headers["x-wms-timestamp"], body) == expected
        assert {got["x-wms-event-id"] for got, _ in receiver.got} == {headers["x-wms-event-id"]}

    async def test_webhooks_come_in_order(self):
        receiver = Receiver(refusals=1)
        async with receiver.serve() as hook, serve_sandbox(Counter(), no_world, webhook_url=hook) as served:
            for _ in range(5):
                await served.http.post("/counter")
            await receiver.wait_for(6)
        assert [body[-2:-1] for _, body in receiver.got] == [b"1", b"1", b"2", b"3", b"4", b"5"]

    async def test_webhooks_are_doubled_and_shuffled_when_told(self):
        receiver = Receiver()
        async with receiver.serve() as hook, serve_sandbox(Counter(), no_world, webhook_url=hook) as served:
            await served.faults(
                outages=[{"after_s": 0, "for_s": 0.3}], webhooks={"duplicate_rate": 1, "reorder_rate": 1}
            )
            with served.host.store.transaction():
                for n in (1, 2):
                    served.host.webhooks.send("counted", {"n": n}, key=str(n))
            await receiver.wait_for(4)
        assert [body[-2:-1] for _, body in receiver.got] == [b"2", b"2", b"1", b"1"]

    async def test_a_change_that_is_undone_tells_nobody(self, served: ServedSandbox):
        with pytest.raises(RuntimeError), served.host.store.transaction():  # noqa: PT012 - likewise
            served.host.webhooks.send("counted", {}, key="1")
            raise RuntimeError
        assert (await served.http.get("/_sandbox/webhooks")).json()["WAITING"] == 0

    async def test_the_same_happening_is_told_once(self, served: ServedSandbox):
        ids = {served.host.webhooks.send("counted", {}, key="1") for _ in range(3)}
        assert len(ids) == 1
        assert served.host.webhooks.counts()["WAITING"] == 1
