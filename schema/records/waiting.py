"""How long a mutation waits for the process that it starts."""

from __future__ import annotations

__all__ = ["DECISION_WAIT_MS"]

DECISION_WAIT_MS = 2_500
"""How long a mutation waits for the decision of its process when its caller does not say, in milliseconds.

A decision is due within this time, so that nearly every answer has it, and few callers wait longer than a person at a
screen does. The process goes on when the wait is over; who wants to know more follows it.
"""
