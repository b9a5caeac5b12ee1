"""Runs query plans: fetches by their dependencies, merges what comes back, shapes the client's answer."""

from gateway.executor.compile import ExecutablePlan, compile_plan
from gateway.executor.context import ExecutionContext
from gateway.executor.deferred import DeferredResult, Patch, StreamedItems
from gateway.executor.result import ExecutionResult, Pending
from gateway.executor.run import run, run_deferred
from gateway.executor.subscribe import subscribe

__all__ = [
    "DeferredResult",
    "ExecutablePlan",
    "ExecutionContext",
    "ExecutionResult",
    "Patch",
    "Pending",
    "StreamedItems",
    "compile_plan",
    "run",
    "run_deferred",
    "subscribe",
]
