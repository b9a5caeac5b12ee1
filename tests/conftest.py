"""Fixtures of the whole suite; each lives in the module of tests/support that it is named after."""

from __future__ import annotations

import pytest
from hypothesis import settings

# A suite that runs on several forms lives in tests.support; it tells what differs like any other test.
pytest.register_assert_rewrite("tests.support.graph_suite")

pytest_plugins = ("tests.support.databases", "tests.support.redis")

# Examples are not timed: on a busy machine a deadline fails tests whose code is right.
settings.register_profile("crossdock", deadline=None)
settings.load_profile("crossdock")
