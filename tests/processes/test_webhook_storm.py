"""Webhooks that come many times and in any order leave everything as one clean delivery does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.process_world import process_world
from tests.support.webhook_storm import tell


@pytest.fixture
def clean_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "clean.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


async def compare(clean_url: str, database_url: str, shipments: int, webhooks: int) -> None:
    async with process_world(clean_url) as world:
        clean = await tell(world, clean_url, shipments, 0, seed=0)
    async with process_world(database_url) as world:
        assert await tell(world, database_url, shipments, webhooks, seed=7) == clean


async def test_duplicate_and_shuffled_webhooks_end_as_one_clean_delivery(database_url: str, clean_url: str) -> None:
    await compare(clean_url, database_url, shipments=3, webhooks=150)


@pytest.mark.slow
async def test_ten_thousand_of_them_do_so_too(database_url: str, clean_url: str) -> None:
    await compare(clean_url, database_url, shipments=20, webhooks=10_000)
