"""Query plans: nodes, printing, soundness; shared by planner and executor."""

from gateway.plan.check import check_plan
from gateway.plan.nodes import QueryPlan
from gateway.plan.print import to_text
from gateway.plan.read import from_json
from gateway.plan.serde import to_json

__all__ = ["QueryPlan", "check_plan", "from_json", "to_json", "to_text"]
