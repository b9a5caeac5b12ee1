from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.process_world import ProcessWorld, process_world


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[ProcessWorld]:
    async with process_world(sqlite_url) as made:
        yield made
