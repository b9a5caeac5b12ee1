"""Chance that repeats: one generator per topic, so that a change in one topic leaves the others as they were."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar

__all__ = ["Chance"]

T = TypeVar("T")


class Chance(random.Random):
    """A seeded generator with the draws that the world needs."""

    @classmethod
    def of(cls, seed: int, topic: str) -> Chance:
        """Return the generator of a topic."""
        made = cls()
        made.seed(f"{seed}:{topic}")
        return made

    def happens(self, percent: float) -> bool:
        """Whether something with this probability happens."""
        return self.random() * 100 < percent

    def one(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[int(self.random() * len(options))]

    def weighted(self, options: Sequence[tuple[T, float]]) -> T:
        """Return one of the options by weight."""
        return self.choices([option for option, _ in options], [weight for _, weight in options])[0]

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def amount(self, low: int, high: int) -> Decimal:
        """Return a whole quantity."""
        return Decimal(self.whole(low, high))

    def price(self, low: float, high: float) -> Decimal:
        """Return a price with two decimals."""
        return Decimal(round(low * 100 + self.random() * (high - low) * 100)) / 100
