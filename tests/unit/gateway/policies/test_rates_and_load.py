"""Rate limits in both stores, and the bound on what runs at the same time."""

from __future__ import annotations

import asyncio

import pytest

from gateway.config import LoadSettings, RateRule, RedisSettings, settings_from
from gateway.errors import ConfigError, RequestError
from gateway.operation import parse_operation
from gateway.policies.load import Load
from gateway.policies.rate_limits import RateLimits
from gateway.policies.rate_store import MAX_KEYS, MemoryRates, RedisRates
from gateway.policies.shared_redis import SharedRedis
from gateway.server.principal import ANONYMOUS, Principal
from gateway.server.request import KnownClient, RequestContext
from tests.unit.gateway.policies.test_costs import supergraph

ANN = RequestContext(Principal("ann"), client=KnownClient(address="1.1.1.1"))
BO = RequestContext(Principal("bo"), client=KnownClient(address="1.1.1.1"))
STRANGER = RequestContext(ANONYMOUS, client=KnownClient(address="2.2.2.2"))
QUERY = "{ one { id } }"


class Limited:
    """Rules over an in-process store whose clock the test sets."""

    def __init__(self, *rules: RateRule) -> None:
        self.now = 0.0
        self.limits = RateLimits(rules, MemoryRates(lambda: self.now))

    async def ask(self, context: RequestContext = ANN, text: str = QUERY, cost: int = 0) -> float:
        """Return 0 when allowed, else the seconds to wait."""
        charges = self.limits.charges(parse_operation(supergraph(), text))
        try:
            await self.limits.use(charges, cost, context)
        except RequestError as error:
            refused = error
        else:
            return 0.0
        assert (refused.code, refused.http_status) == ("RATE_LIMITED", 429)
        assert refused.retry_after_s is not None
        return refused.retry_after_s


def rule(**changes) -> RateRule:
    return RateRule(**{"name": "all", "amount": 2, "window": "10s", **changes})


async def test_an_allowance_is_used_up_and_comes_back_evenly():
    limited = Limited(rule())
    assert [await limited.ask() for _ in range(3)] == [0, 0, pytest.approx(5)]
    limited.now = 4.9
    assert await limited.ask() == pytest.approx(0.1)
    limited.now = 5.0
    assert [await limited.ask(), await limited.ask()] == [0, pytest.approx(5)]
    limited.now = 100.0
    assert [await limited.ask() for _ in range(3)] == [0, 0, pytest.approx(5)], "no more than all of it comes back"


async def test_being_refused_costs_nothing():
    limited = Limited(rule())
    for _ in range(50):
        await limited.ask()
    limited.now = 5.0
    assert await limited.ask() == 0


async def test_a_burst_bounds_what_is_used_at_once():
    limited = Limited(rule(amount=100, burst=1))
    assert [await limited.ask(), await limited.ask()] == [0, pytest.approx(0.1)]


@pytest.mark.parametrize(
    ("per", "first", "second", "shared"),
    [
        ("principal", ANN, BO, False),
        ("principal", ANN, STRANGER, False),
        ("address", ANN, BO, True),
        ("address", ANN, STRANGER, False),
    ],
)
async def test_an_allowance_belongs_to_a_principal_or_an_address(per, first, second, shared):
    limited = Limited(rule(amount=1, per=per))
    assert await limited.ask(first) == 0
    assert (await limited.ask(second) > 0) is shared


async def test_costs_are_counted_where_the_rule_says_so_and_the_dearest_operation_fits_a_whole_allowance():
    limited = Limited(rule(amount=100, unit="cost"))
    assert [await limited.ask(cost=60), await limited.ask(cost=41)] == [0, pytest.approx(0.1)]
    limited.now = 100.0
    assert await limited.ask(cost=5000) == 0


async def test_a_rule_for_fields_counts_each_selection_whatever_the_operation_is_called():
    limited = Limited(rule(fields=("Mutation.change",)))
    assert await limited.ask() == 0
    assert await limited.ask(text="mutation A { a: change { id } b: change { id } }") == 0
    assert await limited.ask(text="mutation B { change { id } }") > 0
    assert await limited.ask() == 0


async def test_every_rule_that_counts_a_request_must_allow_it():
    limited = Limited(rule(name="second", amount=1, window="1s"), rule(name="minute", amount=2, window="1m"))
    assert await limited.ask() == 0
    limited.now = 1.0
    assert await limited.ask() == 0
    limited.now = 2.0
    assert await limited.ask() == pytest.approx(28)


async def test_the_store_of_a_process_is_bounded():
    store = MemoryRates(lambda: 0.0)
    for number in range(MAX_KEYS + 1):
        await store.use(str(number), 1, 1)
    assert await store.use("1", 1, 1) == pytest.approx(1)
    assert await store.use("0", 1, 1) == 0


async def test_processes_share_allowances_through_redis(redis_url):
    settings = RedisSettings(url=redis_url, timeout=5.0)
    one, other = SharedRedis(settings), SharedRedis(settings)
    try:
        first, second = RedisRates(one, MemoryRates()), RedisRates(other, MemoryRates())
        found = [await store.use("k", 500, 1000) for store in (first, second)]
        assert found == [0, 0]
        assert 499 < await first.use("k", 500, 1000) <= 500
        assert await first.use("other", 500, 1000) == 0
        taken = await asyncio.gather(*(store.use("race", 1000, 10_000) for store in (first, second) for _ in range(20)))
        assert sum(wait == 0 for wait in taken) == 10, "using is one step"
    finally:
        await one.aclose()
        await other.aclose()


async def test_without_redis_each_process_keeps_its_own_allowances():
    link = SharedRedis(RedisSettings(url="redis://127.0.0.1:1/0"))
    try:
        store = RedisRates(link, MemoryRates())
        assert await store.use("k", 1000, 1000) == 0
        assert await store.use("k", 1000, 1000) > 0
    finally:
        await link.aclose()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rates": {"store": "redis"}}, 'rates.store is "redis": give its address'),
        ({"documents": {"automatic": {"store": "redis"}}}, 'documents.automatic.store is "redis": give its address'),
        ({"rates": {"rules": [{"name": "a", "amount": 1, "unit": "cost"}]}}, "the rule a counts costs"),
        (
            {"rates": {"rules": [{"name": "a", "amount": 1, "unit": "cost", "fields": ["Q.x"]}]}},
            "counted one by one",
        ),
    ],
)
def test_settings_that_contradict_one_another_are_refused(settings, message):
    with pytest.raises(ConfigError) as caught:
        settings_from(settings)
    assert message in caught.value.message


class Work:
    """Operations that run until the test lets them end."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.order: list[int] = []
        self.gates: dict[int, asyncio.Event] = {}

    def start(self, number: int) -> asyncio.Task[None]:
        self.gates[number] = asyncio.Event()
        return asyncio.get_running_loop().create_task(self._through(number))

    async def _through(self, number: int) -> None:
        async with self.load:
            self.order.append(number)
            await self.gates[number].wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_some_run_a_few_wait_in_order_and_the_rest_is_refused_at_once():
    work = Work(Load(LoadSettings(max_running=2, max_waiting=2, max_wait="1m")))
    tasks = [work.start(number) for number in range(5)]
    await settle()
    assert (work.order, work.load.running, work.load.waiting) == ([0, 1], 2, 2)
    refused = tasks[4].exception()
    assert isinstance(refused, RequestError)
    assert (refused.code, refused.http_status, refused.retry_after_s) == ("OVERLOADED", 503, 1.0)
    work.gates[1].set()
    await settle()
    assert work.order == [0, 1, 2]
    for gate in work.gates.values():
        gate.set()
    await asyncio.gather(*tasks[:4])
    assert work.order == [0, 1, 2, 3]
    assert (work.load.running, work.load.waiting) == (0, 0)


async def test_who_waited_too_long_is_refused_and_who_went_away_leaves_the_queue():
    work = Work(Load(LoadSettings(max_running=1, max_waiting=5, max_wait="50ms")))
    first, second, third = (work.start(number) for number in range(3))
    await settle()
    third.cancel()
    await asyncio.wait({second, third})
    assert isinstance(second.exception(), RequestError)
    assert third.cancelled()
    assert work.load.waiting == 0
    work.gates[0].set()
    await first
    assert work.load.running == 0


async def test_the_place_of_an_operation_that_failed_or_was_cancelled_is_free_again():
    load = Load(LoadSettings(max_running=1, max_waiting=0))

    with pytest.raises(LookupError):
        async with load:
            raise LookupError
    work = Work(load)
    running = work.start(0)
    await settle()
    running.cancel()
    await asyncio.wait({running})
    assert load.running == 0
