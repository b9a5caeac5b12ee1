"""What all requests share of the cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.cache.counts import CacheCounts
from gateway.cache.flights import Flights
from gateway.cache.store import CacheStore
from gateway.config import CacheSettings

__all__ = ["Shared"]


@dataclass(frozen=True, slots=True)
class Shared:
    """The store, the settings, the counts, and the fetches under way.

    Attributes:
        vary: headers of clients that make a difference to answers, as the value of ``Vary``.
    """

    settings: CacheSettings
    store: CacheStore
    counts: CacheCounts
    vary: str = ""
    flights: Flights[Any] = field(default_factory=Flights)
