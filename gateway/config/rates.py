"""How often clients may ask, and how much is under way at the same time."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from gateway.config.section import Duration, Section

__all__ = ["LoadSettings", "RateRule", "RateSettings"]


class RateRule(Section):
    """One allowance. It is used up by requests and comes back evenly over time."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    """Name in refusals and in the keys of Redis."""
    amount: int = Field(ge=1)
    """What may be used within ``window``."""
    window: Duration = 60.0
    """Time in which a used up allowance comes back whole."""
    burst: int | None = Field(default=None, ge=1)
    """Most that may be used at once; ``amount`` when left out."""
    unit: Literal["operations", "cost"] = "operations"
    """What is counted: operations, or their estimated cost (needs ``demand``)."""
    per: Literal["principal", "address"] = "principal"
    """Whose allowance it is: a subject's (an anonymous one is known by its address), or that of an address alone."""
    fields: tuple[str, ...] = ()
    """Root fields, such as ``Mutation.placeOrder``, each selection of which counts; empty counts every operation."""

    @model_validator(mode="after")
    def _count_one_thing(self) -> RateRule:
        if self.fields and self.unit == "cost":
            raise ValueError('fields are counted one by one, so unit must be "operations"')
        return self


class RateSettings(Section):
    """Rate limits."""

    store: Literal["memory", "redis"] = "memory"
    """Where allowances are kept: per process, or in the Redis of the section ``redis`` for all processes together."""
    rules: tuple[RateRule, ...] = ()
    """The allowances; a request must fit into every one that counts it."""


class LoadSettings(Section):
    """Queries and mutations under way in one process."""

    max_running: int = Field(default=512, ge=1)
    """Operations that run at the same time."""
    max_waiting: int = Field(default=512, ge=0)
    """Operations that wait for their turn; one more is refused at once."""
    max_wait: Duration = 1.0
    """Time after which a waiting operation is refused."""
