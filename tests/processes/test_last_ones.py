"""A hundred clients want the last five of an item: five are sold, and everybody else learns when there are more."""

from __future__ import annotations

import pytest

from schema.enums import OrderStatus, ProcessState
from schema.records.problems import Stockout
from tests.support.last_ones import MORE_ON, race
from tests.support.process_world import process_world

CLIENTS = 100
LEFT = 5


@pytest.mark.slow
async def test_the_last_five_are_sold_once_and_everybody_else_hears_of_the_next(database_url: str) -> None:
    async with process_world(database_url) as world:
        ended = await race(database_url, world, clients=CLIENTS, left=LEFT)
        sold = [await world.order(answer.entity_id) for answer in ended.sold if answer.entity_id is not None]
        assert [order.status for order in sold] == [OrderStatus.ACCEPTED] * LEFT
        assert len(world.erp.documents()) == len(world.kept.keys("release")) == LEFT
        assert await world.held() == {}
        assert [answer.state for answer in ended.refused] == [ProcessState.FAILED] * (CLIENTS - LEFT)
        assert [type(problem) for problem in ended.told] == [Stockout] * (CLIENTS - LEFT)
        assert all(day is not None and day >= MORE_ON for day in ended.next_days)
