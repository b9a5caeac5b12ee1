"""Whether one more operation may run: what it may cost, and what is left of the allowances of who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.operation import Operation
from gateway.policies.cost_estimate import OperationCost
from gateway.policies.cost_weights import CostWeights
from gateway.policies.demand import Demand
from gateway.policies.rate_limits import Charge, RateLimits
from gateway.server.request import RequestContext

__all__ = ["Admission", "Terms"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of an operation once it is prepared."""

    name: str | None
    cost: OperationCost | None
    charges: tuple[Charge, ...]


class Admission:
    """Demand control and rate limits of one gateway."""

    def __init__(self, demand: Demand, rates: RateLimits) -> None:
        self._demand = demand
        self.rates = rates

    @property
    def is_on(self) -> bool:
        """Whether anything is checked at all."""
        return self._demand.is_on or self.rates.is_on

    @property
    def reports(self) -> bool:
        """Whether answers tell their cost."""
        return self._demand.reports

    def terms(self, operation: Operation, weights: CostWeights) -> Terms:
        """Return the terms of an operation, computed once."""
        cost = OperationCost(operation, weights, self._demand.default_list_size) if self._demand.is_on else None
        return Terms(operation.name, cost, self.rates.charges(operation))

    async def admit(self, terms: Terms, variables: Mapping[str, Any], context: RequestContext) -> int:
        """Accept one request with the operation and return its estimated cost, 0 when costs are off.

        Raises:
            RequestError: COST_EXCEEDED, RATE_LIMITED.
        """
        estimated = 0
        if terms.cost is not None:
            estimated = terms.cost.estimate(variables)
            self._demand.check(terms.name, estimated)
        if terms.charges:
            await self.rates.use(terms.charges, estimated, context)
        return estimated

    def report(self, terms: Terms, estimated: int, data: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return the extensions of an answer that tell its cost, None when they tell nothing."""
        if not self.reports or terms.cost is None:
            return None
        return self._demand.report(terms.cost, estimated, data)
