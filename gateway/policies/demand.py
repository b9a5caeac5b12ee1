"""Demand control: an operation that may cost too much is refused, or logged while costs are only measured."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from gateway.config import DemandSettings
from gateway.errors import ErrorCode, RequestError
from gateway.policies.cost_estimate import OperationCost

__all__ = ["Demand"]

_log = logging.getLogger("gateway")


class Demand:
    """The policy of one gateway."""

    def __init__(self, settings: DemandSettings) -> None:
        self._settings = settings
        self.default_list_size = settings.default_list_size
        self.reports = settings.report and settings.mode != "off"

    @property
    def is_on(self) -> bool:
        """Whether operations are given a cost."""
        return self._settings.mode != "off"

    def check(self, name: str | None, estimated: int) -> None:
        """Accept an operation that may cost this much.

        Raises:
            RequestError: COST_EXCEEDED.
        """
        most = self._settings.max_cost
        if most is None or estimated <= most:
            return
        if self._settings.mode == "measure":
            _log.warning("operation %s may cost %d; the most is %d", name or "without a name", estimated, most)
        elif self._settings.mode == "enforce":
            message = f"the operation may cost {estimated}; {most} is allowed: ask for fewer items or fields"
            extensions = {"cost": estimated, "most": most}
            raise RequestError(ErrorCode.COST_EXCEEDED, message, extensions=extensions)

    def report(self, cost: OperationCost, estimated: int, data: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return what an answer says of its cost."""
        found = {"estimated": estimated, "actual": cost.measure(data)}
        if self._settings.max_cost is not None:
            found["max"] = self._settings.max_cost
        return {"cost": found}
