"""Questions to the ERP that come up at about the same time are one call, and fail each by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from sandbox.erp.vendor import Erp
from sandbox.world.generate import generate_world
from schema.enums import SourceSystem
from schema.records.orders import OrderFilter
from systems.business_central import BusinessCentral, BusinessCentralSettings
from systems.business_central.together import Answers, Together
from systems.errors import ConnectorError, Unavailable
from tests.support.sandboxes import ServedSandbox, serve_sandbox
from tests.support.small_worlds import small_world

DOWN = Unavailable(SourceSystem.CLOUD_ERP, "ask", "the system is away", outcome_unknown=False)


@pytest.fixture
async def served() -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(Erp(), lambda: small_world(generate_world(42, datetime.now(UTC)))) as sandbox:
        yield sandbox


async def test_what_a_page_asks_for_at_once_is_one_call(served: ServedSandbox):
    settings = BusinessCentralSettings(served.url, "crossdock", "sandbox-erp-secret")
    async with BusinessCentral(settings) as erp:
        await erp.terms(["acc_1"])
        await served.reset_calls()
        orders, invoices, values = await asyncio.gather(
            erp.orders_of(["acc_1"], OrderFilter(), 5), erp.invoices_of(["acc_1"], 5), erp.open_values(["acc_1"])
        )
        calls = await served.calls()
        assert sum(calls.values()) == 1
        assert all("$batch" in path for path in calls)
        assert orders == await erp.orders_of(["acc_1"], OrderFilter(), 5)
        assert invoices == await erp.invoices_of(["acc_1"], 5)
        assert values == await erp.open_values(["acc_1"])


class Scripted:
    def __init__(self, *failing: str, error: BaseException | None = None) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self._failing = failing
        self._error = error

    async def __call__(self, operation: str, paths: object) -> Answers:
        assert isinstance(paths, list)
        self.calls.append((operation, paths))
        if self._error is not None:
            raise self._error
        return [DOWN if path in self._failing else path.upper() for path in paths]


async def test_each_question_gets_its_own_answers_in_its_order():
    ask = Scripted()
    together = Together(ask)
    found = await asyncio.gather(together.bodies("orders", ["a", "b"]), together.bodies("invoices", ["c"]))
    assert found == [["A", "B"], ["C"]]
    assert ask.calls == [("orders, invoices", ["a", "b", "c"])]


async def test_questions_one_after_the_other_are_calls_of_their_own():
    ask = Scripted()
    together = Together(ask)
    await together.bodies("orders", ["a"])
    await together.bodies("orders", ["b"])
    assert len(ask.calls) == 2


async def test_more_than_a_batch_holds_goes_in_several_calls():
    ask = Scripted()
    paths = [f"p{number}" for number in range(201)]
    assert await Together(ask).bodies("orders", paths) == [path.upper() for path in paths]
    assert [len(asked) for _, asked in ask.calls] == [100, 100, 1]


async def test_a_part_that_fails_fails_its_own_question_only():
    together = Together(Scripted("b"))
    good, bad = await asyncio.gather(
        together.bodies("orders", ["a"]), together.bodies("invoices", ["b"]), return_exceptions=True
    )
    assert good == ["A"]
    assert isinstance(bad, ConnectorError)


async def test_a_call_that_fails_fails_every_question_in_it():
    together = Together(Scripted(error=DOWN))
    found = await asyncio.gather(
        together.bodies("orders", ["a"]), together.bodies("invoices", ["b"]), return_exceptions=True
    )
    assert found == [DOWN, DOWN]


async def test_who_goes_away_is_not_asked_for_and_disturbs_nobody():
    ask = Scripted()
    together = Together(ask)
    leaving = asyncio.ensure_future(together.bodies("orders", ["a"]))
    staying = asyncio.ensure_future(together.bodies("invoices", ["b"]))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == ["B"]
    assert ask.calls == [("invoices", ["b"])]
