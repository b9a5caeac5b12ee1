"""Every test of this folder runs against each kind of ERP: served afresh, with a part of the demo's world."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from tests.support.erps import KINDS, ErpConnector, ErpKind
from tests.support.sandboxes import ServedSandbox, serve_sandbox
from tests.support.small_worlds import small_world


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> ErpKind:
    found: ErpKind = request.param
    return found


@pytest.fixture(scope="package")
def world() -> WorldModel:
    return small_world(generate_world(42, datetime.now(UTC)))


@pytest.fixture
async def served(kind: ErpKind, world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(kind.vendor(), lambda: world) as sandbox:
        yield sandbox


@pytest.fixture
async def erp(kind: ErpKind, served: ServedSandbox) -> AsyncIterator[ErpConnector]:
    async with kind.open(served.url) as connector:
        yield connector
