"""What operations may cost."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from gateway.config.section import Section

__all__ = ["DemandSettings"]


class DemandSettings(Section):
    """Demand control by ``@cost`` and ``@listSize``."""

    mode: Literal["off", "measure", "enforce"] = "off"
    """Compute no costs, compute and log operations over ``max_cost``, or refuse these."""
    max_cost: int | None = Field(default=None, ge=1)
    """Most that one operation may cost; needed to enforce."""
    default_list_size: int = Field(default=10, ge=0)
    """Items that a list is taken to have when the schema does not say."""
    report: bool = False
    """Tell estimated and actual cost in ``extensions.cost`` of answers; costs a walk over each answer."""

    @model_validator(mode="after")
    def _have_a_maximum(self) -> DemandSettings:
        if self.mode == "enforce" and self.max_cost is None:
            raise ValueError("max_cost is needed to enforce it")
        return self
