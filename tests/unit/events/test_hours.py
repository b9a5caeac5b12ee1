"""Business hours of a span."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from events.projections.hours import Hours, business_time

OFFICE = Hours(time(9), time(17))
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)

SPANS = [
    pytest.param(9, 12, 3, id="within a day"),
    pytest.param(6, 10, 1, id="from before the office opens"),
    pytest.param(16, 24 + 10, 2, id="over a night"),
    pytest.param(17, 24 + 9, 0, id="at night alone"),
    pytest.param(4 * 24 + 16, 7 * 24 + 10, 2, id="over a weekend"),
    pytest.param(0, 7 * 24 * 52, 52 * 40, id="a year"),
    pytest.param(12, 3 * 7 * 24 + 13, 121, id="three weeks and an hour"),
    pytest.param(12, 11, 0, id="backwards"),
]


@pytest.mark.parametrize(("since", "until", "hours"), SPANS)
def test_a_span_has_the_hours_in_which_somebody_is_there(since: int, until: int, hours: int):
    found = business_time(OFFICE, MONDAY + timedelta(hours=since), MONDAY + timedelta(hours=until))
    assert found == timedelta(hours=hours)
