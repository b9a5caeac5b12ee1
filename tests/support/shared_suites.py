"""Where the shared suites lie, for the tests that run them when they are there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("CROSSDOCK_SHARED", Path(__file__).parents[2].parent / "shared"))


def shared(name: str) -> Path:
    """Return the folder of a shared suite; skips the whole module when it is not on this machine."""
    folder = ROOT / name
    if not folder.is_dir():
        pytest.skip(f"the shared suite {name} is not at {folder}", allow_module_level=True)
    return folder
