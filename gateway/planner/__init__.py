"""From a valid operation to the best query plan."""

from gateway.planner.planner import Planner

__all__ = ["Planner"]
