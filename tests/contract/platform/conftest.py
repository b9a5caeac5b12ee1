"""Stores over each kind of database."""

from __future__ import annotations

import pytest

from tests.support.platform_records import RecordedEvents


@pytest.fixture
def events() -> RecordedEvents:
    return RecordedEvents()
