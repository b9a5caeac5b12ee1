"""The ``crossdock`` command.

Commands import what they need when they run: ``compose`` and ``plan`` are called by scripts, once per case.
"""

from __future__ import annotations

import gc

from crossdock.commands import register
from gateway.cli import app

__all__ = ["main"]

_GC_THRESHOLDS = (200_000, 50, 100)
"""A large supergraph is some hundred thousand objects that stay; walking them while they are made is half the time."""


def main() -> None:
    """Run the command line."""
    gc.set_threshold(*_GC_THRESHOLDS)
    register(app)
    app(prog_name="crossdock")
