from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.process_world import ProcessWorld, process_world

KILLED = "programs killed"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many programs were killed by all tests together."""
    reports = terminalreporter.getreports("passed")
    counts = [count for report in reports for name, count in report.user_properties if name == KILLED]
    if counts:
        terminalreporter.write_line(f"{sum(counts)} {KILLED} in {len(counts)} tests, all made up for")


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[ProcessWorld]:
    async with process_world(sqlite_url) as made:
        yield made
