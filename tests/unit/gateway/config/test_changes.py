"""Which settings a running gateway takes over."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config import check_change, settings_from
from gateway.errors import ConfigError

RULE = {"name": "all", "amount": 10}


def change(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    return check_change(settings_from(old, {}), settings_from(new, {}))


@pytest.mark.parametrize(
    ("new", "changed"),
    [
        pytest.param({}, (), id="nothing"),
        pytest.param(
            {"limits": {"max_depth": 3, "max_batch": 5}}, ("limits.max_batch", "limits.max_depth"), id="limits"
        ),
        pytest.param({"rates": {"rules": [RULE]}}, ("rates.rules",), id="rates"),
        pytest.param({"headers": {"propagate": ["x-a"]}}, ("headers.propagate",), id="headers"),
        pytest.param(
            {"headers": {"subgraphs": {"s": {"remove": ["x-a"]}}}}, ("headers.subgraphs.s",), id="headers of a subgraph"
        ),
    ],
)
def test_limits_rates_and_headers_may_change(new, changed):
    assert change({}, new) == changed


def test_other_settings_are_refused_by_name_together_with_what_may_change():
    new = {"server": {"port": 1}, "limits": {"max_request_bytes": 2048, "max_depth": 3}, "load": {"max_running": 7}}
    with pytest.raises(ConfigError) as refused:
        change({}, new)
    said = refused.value.message
    assert "server.port, limits.max_request_bytes, load.max_running cannot change" in said
    assert "headers, limits, rates.rules" in said
