"""Every test of this folder runs against each kind of ERP: served afresh, with a part of the demo's world."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import copy

import pytest

from sandbox.kit.vendor import Vendor
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from tests.support.erps import KINDS, ErpConnector, ErpKind
from tests.support.sandboxes import ServedSandbox, fill, serve_sandbox
from tests.support.small_worlds import small_world


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> ErpKind:
    found: ErpKind = request.param
    return found


@pytest.fixture(scope="package")
def world() -> WorldModel:
    return small_world(generate_world(42, datetime.now(UTC)))


@pytest.fixture(scope="package")
def books(world: WorldModel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Filled books by kind of ERP, for each test to copy."""
    folder = tmp_path_factory.mktemp("books")
    found = {kind.name: folder / f"{kind.name}.db" for kind in KINDS}
    for kind in KINDS:
        fill(kind.vendor(), world, found[kind.name])
    return found


@pytest.fixture
def vendor(kind: ErpKind) -> Vendor:
    return kind.vendor()


@pytest.fixture
async def served(
    kind: ErpKind, vendor: Vendor, world: WorldModel, books: dict[str, Path], tmp_path: Path
) -> AsyncIterator[ServedSandbox]:
    own = Path(copy(books[kind.name], tmp_path / "books.db"))
    async with serve_sandbox(vendor, lambda: world, database=own) as sandbox:
        yield sandbox


@pytest.fixture
async def erp(kind: ErpKind, served: ServedSandbox) -> AsyncIterator[ErpConnector]:
    async with kind.open(served.url) as connector:
        yield connector
