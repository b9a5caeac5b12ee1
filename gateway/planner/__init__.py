"""From a valid operation to the best query plan."""

from gateway.planner.explain import explain
from gateway.planner.planner import Planner

__all__ = ["Planner", "explain"]
