"""Rate limits: which allowances an operation uses, and the refusal when one is used up."""

from __future__ import annotations

import hashlib

from gateway.config import RateRule
from gateway.errors import ErrorCode, RequestError
from gateway.operation import Operation
from gateway.policies.rate_store import MemoryRates, RateStore
from gateway.server.request import RequestContext

__all__ = ["Charge", "RateLimits"]

Charge = tuple[RateRule, int | None]
"""An allowance and how many units an operation uses of it; None stands for its estimated cost."""


class RateLimits:
    """The rules of one gateway.

    Attributes:
        memory: what is kept in this process; other rules go on with it, and what was used of a rule that keeps its name
            stays used.
    """

    def __init__(self, rules: tuple[RateRule, ...], store: RateStore, memory: MemoryRates | None = None) -> None:
        self._rules = rules
        self._store = store
        self.memory = memory or MemoryRates()

    @property
    def is_on(self) -> bool:
        """Whether there is any rule."""
        return bool(self._rules)

    def charges(self, operation: Operation) -> tuple[Charge, ...]:
        """Return what an operation uses; the same for every request with it."""
        found: list[Charge] = []
        for rule in self._rules:
            if rule.unit == "cost":
                found.append((rule, None))
            elif not rule.fields:
                found.append((rule, 1))
            else:
                wanted = set(rule.fields)
                units = sum(f"{operation.root_type}.{field.name}" in wanted for field in operation.fields)
                if units:
                    found.append((rule, units))
        return tuple(found)

    async def use(self, charges: tuple[Charge, ...], cost: int, context: RequestContext) -> None:
        """Take the charges of one request from the allowances of who asks.

        Raises:
            RequestError: RATE_LIMITED. Allowances before the one that is used up have been charged.
        """
        for rule, units in charges:
            burst = rule.burst or rule.amount
            per_unit_s = rule.window / rule.amount
            used = min(cost if units is None else units, burst)  # what is larger than all of it takes all of it
            wait_s = await self._store.use(_key(rule, context), used * per_unit_s, burst * per_unit_s)
            if wait_s > 0:
                message = f"the limit {rule.name!r} is used up; try again in {wait_s:.1f} s"
                extensions = {"limit": rule.name, "retryAfter": round(wait_s, 3)}
                raise RequestError(
                    ErrorCode.RATE_LIMITED, message, http_status=429, extensions=extensions, retry_after_s=wait_s
                )


def _key(rule: RateRule, context: RequestContext) -> str:
    subject = context.principal.subject
    if rule.per == "principal" and subject is not None:
        return f"{rule.name}:s:{hashlib.sha256(subject.encode()).hexdigest()[:32]}"
    return f"{rule.name}:a:{context.client.address or 'unknown'}"
