"""Fixtures of the whole suite; each lives in the module of tests/support that it is named after."""

from __future__ import annotations

pytest_plugins = ("tests.support.databases", "tests.support.redis")
