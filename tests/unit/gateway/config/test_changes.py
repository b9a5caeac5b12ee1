"""Which settings a running gateway takes over."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config import check_change, settings_from
from gateway.config.changes import FIXED
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
def test_what_has_changed_is_named(new, changed):
    assert change({}, new) == changed


def test_what_needs_a_restart_is_refused_by_name():
    new = {"server": {"host": "127.0.0.2", "port": 1, "path": "/other"}, "load": {"max_running": 7}}
    with pytest.raises(ConfigError, match=r"server\.host, server\.port cannot change while"):
        change({}, new)


def test_every_key_that_needs_a_restart_is_one_of_the_settings():
    settings = settings_from({}, {}).model_dump()
    for key in FIXED:
        section, name = key.split(".")
        assert name in settings[section]
