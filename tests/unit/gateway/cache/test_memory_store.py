"""The bounds of the store in memory."""

from __future__ import annotations

import pytest

from gateway.cache import memory_store
from gateway.cache.memory_store import MemoryStore
from gateway.cache.store import Entry, StoreLimits


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def write(store: MemoryStore, *keys: str, value: bytes = b"x", tags: tuple[str, ...] = ()) -> None:
    as_of = (await store.read([])).as_of
    assert as_of is not None
    await store.write([Entry(key, value, 60, tags) for key in keys], as_of)


async def there(store: MemoryStore, *keys: str) -> list[bool]:
    return [found is not None for found in (await store.read(keys)).found]


async def test_the_least_recently_used_entry_goes_first(clock):
    store = MemoryStore(StoreLimits(max_entries=2), clock)
    await write(store, "a", "b")
    await store.read(["a"])
    await write(store, "c")
    assert await there(store, "a", "b", "c") == [True, False, True]


async def test_bytes_are_bounded_and_given_back(clock):
    store = MemoryStore(StoreLimits(max_bytes=5_000), clock)
    for number in range(50):
        await write(store, f"k{number}", value=b"x" * 700)
    entries, size = store.size
    assert 3 <= entries <= 5
    assert size <= 5_000
    clock.now += 61
    await store.read([f"k{number}" for number in range(50)])
    assert store.size == (0, 0)


async def test_what_is_invalidated_gives_its_bytes_back_when_it_is_asked_for(clock):
    store = MemoryStore(StoreLimits(), clock)
    await write(store, "a", tags=("x",))
    await store.invalidate(["x"])
    assert await there(store, "a") == [False]
    assert store.size == (0, 0)


async def test_marks_are_bounded_and_a_forgotten_one_hides_whatever_is_as_old(clock, monkeypatch):
    monkeypatch.setattr(memory_store, "MAX_MARKS", 10)
    store = MemoryStore(StoreLimits(), clock)
    await write(store, "old", tags=("x",))
    clock.now += 1
    await store.invalidate(["x"])
    await write(store, "unmarked", tags=("z",))
    clock.now += 1
    for number in range(11):
        await store.invalidate([f"other{number}"])
    assert await there(store, "old", "unmarked") == [False, False]
    clock.now += 1
    await write(store, "new", tags=("z",))
    assert await there(store, "old", "new") == [False, True]
