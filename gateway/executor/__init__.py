"""Runs query plans: fetches by their dependencies, merges what comes back, shapes the client's answer."""

from gateway.executor.compile import ExecutablePlan, compile_plan
from gateway.executor.context import ExecutionContext
from gateway.executor.result import ExecutionResult
from gateway.executor.run import run
from gateway.executor.subscribe import subscribe

__all__ = ["ExecutablePlan", "ExecutionContext", "ExecutionResult", "compile_plan", "run", "subscribe"]
