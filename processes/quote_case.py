"""One quote on its way through preparation: what is known of it and how it is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from processes.api import QuotePreparation
from processes.dependencies import Dependencies
from processes.quote_writes import change_quote
from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import Event
from schema.records.accounts import Account, CustomerTerms, ShipTo
from schema.records.catalog import Item
from schema.records.operations import ProcessRecord
from schema.records.orders import Quote
from schema.records.problems import Problem
from systems.errors import NotFound

__all__ = ["QuoteCase", "QuoteRequest"]

DUE = timedelta(minutes=15)
"""A quote is priced within this time."""


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """Input of the process: who asks for what, when, under which ids."""

    process_id: str
    quote_id: str
    preparation: QuotePreparation
    asked_by: str
    asked_at: datetime


class QuoteCase:
    """A run of quote preparation for one quote."""

    def __init__(self, request: QuoteRequest, dependencies: Dependencies, *, resumed: bool) -> None:
        self.request = request
        self.use = dependencies
        self.attempt = 1
        self.resumed = resumed
        self.findings: list[Problem] = []
        self.refusal: tuple[Problem, ...] = ()
        self.home_erp: SourceSystem | None = None
        self._account: Account | None = None
        self._terms: CustomerTerms | None = None
        self._ship_to: ShipTo | None = None
        self._items: Mapping[str, Item] | None = None

    @property
    def preparation(self) -> QuotePreparation:
        """What was asked for."""
        return self.request.preparation

    @property
    def order_id(self) -> None:
        """A quote is not an order yet."""
        return None

    @property
    def account_id(self) -> str:
        """Who asks."""
        return self.preparation.account_id

    @property
    def record(self) -> ProcessRecord:
        """The process as its log starts it."""
        request = self.request
        return ProcessRecord(
            id=request.process_id,
            kind="QUOTE_PREPARATION",
            business_key=request.quote_id,
            state=ProcessState.RUNNING,
            steps=(),
            started_at=request.asked_at,
            due_at=request.asked_at + DUE,
            ended_at=None,
            correlation_id=request.quote_id,
            trace_id=None,
            started_by=request.asked_by,
        )

    def news(self, type_: str, key: str, data: Mapping[str, Any]) -> Event:
        """Return an event of the quote's story."""
        quote_id = self.request.quote_id
        return Event(
            id=f"qt:{quote_id}:{key}",
            source="/dist/quotes",
            type=type_,
            subject=quote_id,
            partition_key=quote_id,
            correlation_id=quote_id,
            system=SourceSystem.PLATFORM,
            occurred_at=self.use.clock.now(),
            data={"quoteId": quote_id, **data},
            account_id=self.account_id,
        )

    async def stored(self) -> Quote | None:
        """Return the quote as saved, None before it was."""
        return (await self.use.quotes.quotes([self.request.quote_id])).get(self.request.quote_id)

    async def change(
        self, changed: Callable[[Quote], Quote], tell: Callable[[Quote], Sequence[Event]] = lambda _: ()
    ) -> Quote:
        """Save a change of the quote and its events in one commit; a change that is there already saves nothing.

        Raises:
            NotFound: the quote was not saved before.
            Conflict: others kept writing in between.
        """
        quote_id = self.request.quote_id
        saved = await change_quote(self.use, quote_id, changed, tell)
        if saved is None:
            raise NotFound(SourceSystem.PLATFORM, "change quote", f"quote {quote_id} is not saved")
        return saved

    async def account(self) -> Account | None:
        """Return who asks, None when the CRM does not know the account."""
        if self._account is None:
            self._account = (await self.use.crm.accounts([self.account_id])).get(self.account_id)
        return self._account

    async def terms(self) -> CustomerTerms | None:
        """Return on what terms the account buys, None when the ERP does not know the customer."""
        if self._terms is None:
            self._terms = (await self.use.erp.terms([self.account_id])).get(self.account_id)
            self.home_erp = None if self._terms is None else self._terms.ref.system
        return self._terms

    async def ship_to(self) -> ShipTo | None:
        """Return where goods would go, None when nobody said or the ERP does not know the place."""
        wanted = self.preparation.ship_to_id
        if self._ship_to is None and wanted is not None:
            self._ship_to = (await self.use.erp.ship_tos([wanted])).get(wanted)
        return self._ship_to

    async def items(self) -> Mapping[str, Item]:
        """Return the items of the lines by sku."""
        if self._items is None:
            self._items = await self.use.erp.items(sorted({line.sku for line in self.preparation.lines}))
        return self._items
