"""Releases of an order that is being changed or cancelled: held before anything else is done, then cancelled."""

from __future__ import annotations

from collections.abc import Iterable

from processes.amend_case import AmendCase, not_allowed
from processes.release_fate import release_key
from processes.steps import DONE, Outcome, Verdict
from schema.enums import FulfillmentStatus, SourceSystem
from schema.records.orders import LedgerLine
from systems.errors import Rejected
from systems.ports import HoldOutcome

__all__ = ["cancel_held", "hold_releases", "releases_of", "resume_releases"]

Release = tuple[str, int]
"""Warehouse and round of a release."""


def releases_of(lines: Iterable[LedgerLine]) -> tuple[Release, ...]:
    """Return the releases that carry these lines, as far as they were released."""
    return tuple(sorted({(entry.warehouse_code, entry.round) for line in lines for entry in line.allocations}))


async def hold_releases(case: AmendCase, releases: Iterable[Release]) -> Outcome:
    """Keep releases from being picked; goods that are picked already can be returned later and not changed."""
    for code, round_ in releases:
        if await case.use.wms.hold_release(release_key(case, code, round_)) is HoldOutcome.PICKED:
            said = f"goods are picked in {code} already: once delivered they can be returned"
            refusal = not_allowed(said, FulfillmentStatus.PICKING.value, ("REQUEST_RETURN",))
            return Outcome(Verdict.REFUSED, (refusal,))
    return DONE


async def resume_releases(case: AmendCase, releases: Iterable[Release]) -> None:
    """Let releases be picked as if nothing had been asked."""
    for code, round_ in releases:
        await case.use.wms.resume_release(release_key(case, code, round_))


async def cancel_held(case: AmendCase, releases: Iterable[Release]) -> None:
    """Cancel releases that are held.

    Raises:
        Rejected: one is picked although it was held; a person must decide.
    """
    for code, round_ in releases:
        if not await case.use.wms.cancel_release(release_key(case, code, round_)):
            said = f"goods of order {case.order_id} are picked in {code} although they were held"
            raise Rejected(SourceSystem.WMS, "cancel release", said, reason="ALREADY_PICKED")
