"""A desk of decisions for subgraphs of which only reads are tested."""

from __future__ import annotations

from typing import Any


class NoDesk:
    """Takes no decision; a test that asks for one by mistake fails."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"this world decides nothing, and {name} was asked for")
