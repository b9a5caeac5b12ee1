"""The ``crossdock`` command.

Commands import what they need when they run: ``compose`` and ``plan`` are called by scripts, once per case.
"""

from __future__ import annotations

from gateway.cli import app

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    app(prog_name="crossdock")
