"""Metrics for Prometheus: rate, errors and duration of operations and of requests to subgraphs, and what is in memory.

Each gateway has a registry of its own, so several in one process do not mix. Workers of one gateway share a folder, and
each of them tells the sum over all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

__all__ = ["MAX_OPERATIONS", "Metrics"]

MAX_OPERATIONS = 500
"""Names of operations that get a series of their own; clients choose names, and each series costs memory for good."""

OTHER = "other"
"""Label of all further operations."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one gateway; those of all its workers where they share a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._registry = CollectorRegistry()
        self._folder = folder
        self._names = set() if folder is None else _names_in(folder)
        self._watched: list[tuple[Gauge, Callable[[], float]]] = []
        self._watched_each: list[tuple[Gauge, Callable[[], Mapping[str, float]]]] = []
        self._operations = Counter(
            "gateway_operations", "Operations that ran.", ("operation", "kind", "outcome"), registry=self._registry
        )
        self._seconds = Histogram(
            "gateway_operation_seconds", "Time of operations.", ("kind",), buckets=_SECONDS, registry=self._registry
        )
        self._refused = Counter(
            "gateway_refused", "Requests that were refused before they ran.", ("code",), registry=self._registry
        )
        self._denied = Counter(
            "gateway_authorization_refused",
            "Requests that were refused by rights, in whole or in part.",
            ("outcome",),
            registry=self._registry,
        )
        self._subgraph_seconds = Histogram(
            "gateway_subgraph_seconds",
            "Time of requests to subgraphs, retries included.",
            ("subgraph", "outcome"),
            buckets=_SECONDS,
            registry=self._registry,
        )

        self._cache_lookups = Counter(
            "gateway_cache_lookups",
            "Fetches, entities and answers that were looked up; bypass when the store gave no answer.",
            ("cache", "subgraph", "outcome"),
            registry=self._registry,
        )
        self._cache_stored = Counter(
            "gateway_cache_stored", "Entries that were kept.", ("cache", "subgraph"), registry=self._registry
        )
        self._cache_invalidated = Counter(
            "gateway_cache_invalidated", "Tags that were invalidated.", ("by",), registry=self._registry
        )
        self._cache_failures = Counter(
            "gateway_cache_store_failures", "Commands that the store gave no answer to.", registry=self._registry
        )

        self._reloads = Counter(
            "gateway_reloads",
            "Looks that found another supergraph or other settings, or could not look; failed when the old ones hold.",
            ("what", "outcome"),
            registry=self._registry,
        )

    def answered(self, kind: str, name: str | None, seconds: float, *, has_errors: bool) -> None:
        """Count an operation that ran."""
        label = self._label(name)
        self._operations.labels(label, kind, "errors" if has_errors else "ok").inc()
        self._seconds.labels(kind).observe(seconds)

    def refused(self, code: str) -> None:
        """Count a request that did not run."""
        self._refused.labels(code).inc()

    def denied(self, outcome: str) -> None:
        """Count a refusal by rights: ``filtered``, ``rejected`` or ``unauthenticated``."""
        self._denied.labels(outcome).inc()

    def reloaded(self, what: str, *, has_failed: bool) -> None:
        """Count a change of the ``supergraph`` or the ``settings``, or one that was kept out."""
        self._reloads.labels(what, "failed" if has_failed else "ok").inc()

    def fetched(self, subgraph: str, seconds: float, outcome: str) -> None:
        """Count a request to a subgraph; ``outcome`` is ``ok`` or a code."""
        self._subgraph_seconds.labels(subgraph, outcome).observe(seconds)

    def looked_up(self, cache: str, subgraph: str, hits: int, misses: int) -> None:
        """Count what the cache has and what not; see :class:`gateway.cache.counts.CacheCounts`."""
        if hits:
            self._cache_lookups.labels(cache, subgraph, "hit").inc(hits)
        if misses:
            self._cache_lookups.labels(cache, subgraph, "miss").inc(misses)

    def bypassed(self, cache: str, subgraph: str) -> None:
        """Count a fetch for which the store gave no answer."""
        self._cache_lookups.labels(cache, subgraph, "bypass").inc()

    def stored(self, cache: str, subgraph: str, entries: int) -> None:
        """Count what was kept."""
        self._cache_stored.labels(cache, subgraph).inc(entries)

    def invalidated(self, by: str, tags: int) -> None:
        """Count invalidated tags."""
        self._cache_invalidated.labels(by).inc(tags)

    def store_failed(self) -> None:
        """Count a command that the store of the cache gave no answer to."""
        self._cache_failures.inc()

    def watch(self, name: str, what: str, read: Callable[[], float], over: Literal["sum", "max"] = "sum") -> None:
        """Add a figure that is read whenever metrics are asked for; ``over`` all workers it is summed, or the worst."""
        mode: Literal["livesum", "livemax"] = "livesum" if over == "sum" else "livemax"
        gauge = Gauge(name, what, registry=self._registry, multiprocess_mode=mode)
        self._watched.append((gauge, read))

    def watch_each(self, name: str, what: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Add a figure with a series for each key of what is read; over all workers the least of each is told."""
        gauge = Gauge(name, what, (label,), registry=self._registry, multiprocess_mode="livemin")
        self._watched_each.append((gauge, read))

    def refresh(self) -> None:
        """Read the watched figures, for those who ask another worker."""
        for gauge, read in self._watched:
            gauge.set(read())
        for gauge, read_each in self._watched_each:
            if self._folder is None:
                gauge.clear()  # what is not read any more; a series in a shared folder cannot be taken back
            for key, value in read_each().items():
                gauge.labels(key).set(value)

    def route(self, path: str) -> Route:
        """Return the page of the metrics."""

        async def page(_: Request) -> Response:
            self.refresh()
            registry = self._registry
            if self._folder is not None:
                registry = CollectorRegistry()
                MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
            return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

        return Route(path, page)

    def _label(self, name: str | None) -> str:
        if name is None:
            return ""
        if name in self._names:
            return name
        if len(self._names) >= MAX_OPERATIONS:
            return OTHER
        self._names.add(name)
        return name


def _names_in(folder: Path) -> set[str]:
    """Return the names of operations that have a series already, of this worker or another one."""
    collector = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]
    found = collector.collect()  # type: ignore[no-untyped-call]
    samples = (sample for metric in found for sample in metric.samples)
    return {sample.labels["operation"] for sample in samples if "operation" in sample.labels} - {"", OTHER}
