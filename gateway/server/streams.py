"""How many streams the process serves at once."""

from __future__ import annotations

__all__ = ["SubscriptionCounter"]


class SubscriptionCounter:
    """Counts the streams under way over all connections of the process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.running = 0

    def take(self) -> bool:
        """Count one more; False when there is no room."""
        if self.running >= self._most:
            return False
        self.running += 1
        return True

    def give_back(self) -> None:
        """Count one less."""
        self.running -= 1
