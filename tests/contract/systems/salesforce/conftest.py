"""Every test of this folder has a CRM sandbox of its own, served and filled with the demo's world."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sandbox.crm.vendor import Crm
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from systems.ports import SystemCall
from systems.salesforce import Salesforce
from tests.support.crm_connector import NOW, settings
from tests.support.sandboxes import ServedSandbox, serve_sandbox


@pytest.fixture(scope="package")
def world() -> WorldModel:
    return generate_world(42, NOW)


@pytest.fixture
async def served(world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(Crm(), lambda: world) as sandbox:
        yield sandbox


@pytest.fixture
def calls() -> list[SystemCall]:
    return []


@pytest.fixture
async def crm(served: ServedSandbox, calls: list[SystemCall]) -> AsyncIterator[Salesforce]:
    async with Salesforce(settings(served.url), observer=calls.append) as connector:
        yield connector
