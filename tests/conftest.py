"""Fixtures of the whole suite; each lives in the module of tests/support that it is named after."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ("tests.support.databases", "tests.support.redis")

# Examples are not timed: on a busy machine a deadline fails tests whose code is right.
settings.register_profile("crossdock", deadline=None)
settings.load_profile("crossdock")
