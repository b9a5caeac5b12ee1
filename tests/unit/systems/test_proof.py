"""The proof of who we are: asked for once for all calls, renewed before it ends and when it is refused."""

from __future__ import annotations

import asyncio

import pytest

from systems.proof import Proof, SharedProof


class Door:
    """Gives proofs one after another; ``now_s`` is the time, ``open`` lets those who ask go on."""

    def __init__(self, life_s: float | None = 100.0) -> None:
        self.life_s = life_s
        self.given = 0
        self.now_s = 0.0
        self.open = asyncio.Event()
        self.open.set()
        self.failure: Exception | None = None

    async def __call__(self) -> Proof:
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        self.given += 1
        return Proof({"ticket": str(self.given)}, self.life_s)

    def shared(self, early_s: float = 10.0) -> SharedProof:
        return SharedProof(self, early_s, lambda: self.now_s)


async def in_a_call_of_its_own(proof: SharedProof, *answers: bool) -> list[str]:
    """Return the tickets of a call that asks again as often as it is refused."""

    async def call() -> list[str]:
        return [(await proof(renew))["ticket"] for renew in answers]

    return await asyncio.create_task(call())


async def test_calls_at_the_same_time_share_one():
    door = Door()
    door.open.clear()
    proof = door.shared()
    calls = [asyncio.create_task(in_a_call_of_its_own(proof, False)) for _ in range(5)]
    await asyncio.sleep(0)
    door.open.set()
    assert await asyncio.gather(*calls) == [["1"]] * 5
    assert door.given == 1


@pytest.mark.parametrize(
    ("life_s", "early_s", "kept_until"),
    [(100.0, 10.0, 90.0), (12.0, 10.0, 6.0), (None, 10.0, 1e9)],
    ids=["early", "half of a short life", "without an end"],
)
async def test_it_is_renewed_before_it_ends(life_s: float | None, early_s: float, kept_until: float):
    door = Door(life_s)
    proof = door.shared(early_s)
    assert await in_a_call_of_its_own(proof, False) == ["1"]
    door.now_s = kept_until - 0.1
    assert await in_a_call_of_its_own(proof, False) == ["1"]
    door.now_s = kept_until
    assert await in_a_call_of_its_own(proof, False) == ["1" if life_s is None else "2"]


async def test_calls_whose_proof_is_refused_renew_it_once():
    door = Door()
    proof = door.shared()
    both_were_given = asyncio.Barrier(2)

    async def call() -> list[str]:
        first = (await proof(False))["ticket"]
        await both_were_given.wait()
        return [first, (await proof(True))["ticket"]]

    assert await asyncio.gather(*(asyncio.create_task(call()) for _ in range(2))) == [["1", "2"]] * 2
    assert door.given == 2


async def test_a_failure_is_that_of_the_call_and_the_next_one_asks_again():
    door = Door()
    proof = door.shared()
    door.failure = ValueError("closed")
    with pytest.raises(ValueError, match="closed"):
        await in_a_call_of_its_own(proof, False)
    door.failure = None
    assert await in_a_call_of_its_own(proof, False) == ["1"]


async def test_proofs_of_two_systems_in_one_call_know_nothing_of_each_other():
    one, other = Door(), Door()
    first, second = one.shared(), other.shared()
    await in_a_call_of_its_own(second, False, True, True)

    async def call() -> list[str]:
        return [(await proof(renew))["ticket"] for proof, renew in ((first, False), (second, False), (first, True))]

    assert await asyncio.create_task(call()) == ["1", "3", "2"]
