from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.graph_suite import GraphSuite
from tests.support.whole import Whole, over_sockets

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Whole]:
    async with over_sockets(tmp_path_factory.mktemp("over_sockets")) as running:
        yield running


class TestOverSockets(GraphSuite):
    pass
