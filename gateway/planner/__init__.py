"""From a valid operation to the best query plan."""

from gateway.planner.explain import FORMATS, STAGES, explain
from gateway.planner.planner import Planner

__all__ = ["FORMATS", "STAGES", "Planner", "explain"]
