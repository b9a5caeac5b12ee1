"""What every store of the cache does: one suite over both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.cache.memory_store import MemoryStore
from gateway.cache.redis_store import RedisStore
from gateway.cache.store import EVERYTHING, CacheStore, Entry, Reading, StoreLimits
from gateway.config import RedisSettings
from gateway.policies.shared_redis import SharedRedis

LIMITS = StoreLimits(max_entry_bytes=1000, max_age_s=600)

Open = Callable[[], CacheStore]


@pytest.fixture(params=["memory", "redis"])
async def open_store(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Give a way to open the store: in memory always the same one, in Redis one of another process each time."""
    if request.param == "memory":
        memory = MemoryStore(LIMITS)
        yield lambda: memory
        return
    url = request.getfixturevalue("redis_url")
    opened: list[CacheStore] = []

    def open_one() -> CacheStore:
        redis = SharedRedis(RedisSettings(url=url, timeout="30s"), decodes=False)
        opened.append(RedisStore(redis, LIMITS))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.aclose()


@pytest.fixture
def store(open_store: Open) -> CacheStore:
    return open_store()


async def now(store: CacheStore) -> int:
    as_of = (await store.read(["nothing"])).as_of
    assert as_of is not None
    return as_of


async def pass_a_moment(store: CacheStore) -> None:
    """Wait until the store's clock, which counts microseconds, shows another time."""
    before = await now(store)
    while await now(store) == before:
        pass


async def keep(store: CacheStore, key: str, value: bytes = b"value", *, tags: tuple[str, ...] = (), lasts=60.0) -> int:
    return await store.write([Entry(key, value, lasts, tags)], await now(store))


def values(reading: Reading) -> list[bytes | None]:
    return [found.value if found else None for found in reading.found]


async def test_what_was_written_is_found_by_every_process_in_the_order_of_the_keys(open_store):
    store = open_store()
    as_of = await now(store)
    entries = [Entry("a", b"one\ntwo \xff", 60, ("t1", "t2")), Entry("b", b"", 60)]
    assert await store.write(entries, as_of) == 2
    assert values(await open_store().read(["b", "missing", "a"])) == [b"", None, b"one\ntwo \xff"]


async def test_an_entry_tells_how_old_it_is_and_how_long_it_lasts(store):
    await keep(store, "a", lasts=60)
    (found,) = (await store.read(["a"])).found
    assert found is not None
    assert 0 <= found.age_s < 30
    assert found.age_s + found.left_s == pytest.approx(60, abs=0.01)


async def test_an_entry_ends_with_its_lifetime(store):
    await keep(store, "a", lasts=0.05)
    await keep(store, "b", lasts=60)
    async with asyncio.timeout(30):
        while values(await store.read(["a"])) != [None]:
            pass
    assert values(await store.read(["a", "b"])) == [None, b"value"]


async def test_an_entry_whose_lifetime_is_over_already_is_not_kept(store):
    assert await keep(store, "a", lasts=0) == 0
    assert values(await store.read(["a"])) == [None]


async def test_no_entry_lasts_longer_than_the_limit(store):
    await keep(store, "a", lasts=10_000)
    (found,) = (await store.read(["a"])).found
    assert found is not None
    assert found.left_s <= LIMITS.max_age_s


async def test_a_value_over_the_limit_is_not_kept(store):
    assert await keep(store, "a", b"x" * 1001) == 0
    assert await keep(store, "a", b"x" * 1000) == 1


async def test_a_later_answer_replaces_an_earlier_one_and_not_the_other_way_round(store):
    before = await now(store)
    await pass_a_moment(store)
    await keep(store, "a", b"new")
    await store.write([Entry("a", b"old", 60)], before)
    assert values(await store.read(["a"])) == [b"new"]


async def test_an_invalidated_tag_hides_what_has_it_from_every_process_and_nothing_else(open_store):
    store = open_store()
    await keep(store, "a", tags=("x", "both"))
    await keep(store, "b", tags=("y", "both"))
    await keep(store, "c")
    await open_store().invalidate(["x"])
    assert values(await store.read(["a", "b", "c"])) == [None, b"value", b"value"]
    await store.invalidate(["both"])
    assert values(await store.read(["a", "b", "c"])) == [None, None, b"value"]


async def test_everything_is_a_tag_of_every_entry(store):
    await keep(store, "a", tags=("x",))
    await keep(store, "b")
    await store.invalidate([EVERYTHING])
    assert values(await store.read(["a", "b"])) == [None, None]


async def test_what_is_written_after_an_invalidation_is_found_again(store):
    await keep(store, "a", b"old", tags=("x",))
    await store.invalidate(["x"])
    await pass_a_moment(store)
    assert await keep(store, "a", b"new", tags=("x",)) == 1
    assert values(await store.read(["a"])) == [b"new"]


@pytest.mark.parametrize("tag", ["x", EVERYTHING])
async def test_an_answer_that_was_under_way_when_its_tag_was_invalidated_is_not_kept(store, tag):
    as_of = await now(store)
    await store.invalidate([tag])
    assert await store.write([Entry("a", b"stale", 60, ("x",))], as_of) == 0
    assert values(await store.read(["a"])) == [None]


async def test_a_barrier_hides_what_is_older_from_those_alone_who_bring_it(store):
    await keep(store, "a")
    await store.invalidate([], ["ann"])
    assert values(await store.read(["a"], ["ann"])) == [None]
    assert values(await store.read(["a"], ["bo"])) == [b"value"]
    await pass_a_moment(store)
    await keep(store, "a", b"fresh")
    assert values(await store.read(["a"], ["ann"])) == [b"fresh"]


async def test_a_reading_tells_of_the_last_invalidation_that_matters_to_the_reader(store):
    assert (await store.read(["a"])).changed_at == 0
    before = await now(store)
    await store.invalidate([], ["ann"])
    assert (await store.read(["a"])).changed_at == 0
    assert (await store.read(["a"], ["ann"])).changed_at >= before
    await store.invalidate(["x"])
    assert (await store.read(["a"])).changed_at >= before


async def test_thousands_of_keys_are_read_and_written_at_once(store):
    as_of = await now(store)
    assert await store.write([Entry(f"k{number}", b"%d" % number, 60) for number in range(2500)], as_of) == 2500
    found = values(await store.read([f"k{number}" for number in range(2500)]))
    assert found == [b"%d" % number for number in range(2500)]
