"""What is wanted of the ERP about returns, and the platform's own ledger of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from schema.events.envelope import Event
from schema.records.orders import Return, ReturnLine
from schema.records.returns import LedgerReturn, NewReturn
from schema.records.values import Money


class ReturnBook(Protocol):
    """Returns. System of record: home ERP."""

    async def returns(self, ids: Sequence[str]) -> Mapping[str, Return]:
        """Return RMAs by platform id."""
        ...

    async def returns_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        """Return RMAs per order, oldest first."""
        ...

    async def returns_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        """Return RMAs per account, newest first."""
        ...


class ReturnDesk(Protocol):
    """Writes of returns; each is done once per key. System of record: home ERP."""

    async def create_return(self, new: NewReturn) -> Return:
        """Create a released return, or return the one that its key created before.

        Raises:
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
        """
        ...

    async def cancel_return(self, number: str) -> None:
        """Cancel a return of which nothing has come back; nothing happens when there is none.

        Raises:
            Rejected: goods have come back already.
        """
        ...

    async def receive_return(self, key: str, number: str, lines: tuple[ReturnLine, ...]) -> None:
        """Note what came back and where it goes."""
        ...

    async def credit_return(self, key: str, number: str) -> Money:
        """Credit what came back, and return how much that is."""
        ...

    async def replace_return(self, key: str, number: str) -> None:
        """Close a return without a credit, because an order replaces what came back."""
        ...


class ReturnLedger(Protocol):
    """Returns that were requested here. System of record: platform until the ERP has them, and of what was decided."""

    async def next_number(self) -> str:
        """Return a new return number (``RMA-`` and six digits), never given twice."""
        ...

    async def create(
        self, entry: LedgerReturn, events: Sequence[Event] = (), *, known: int | None = None
    ) -> LedgerReturn:
        """Record a return, or return the one with the same process recorded before.

        Args:
            entry: the return.
            events: what is told of it.
            known: how many returns of its order the caller has counted; None for one that counted none.

        Raises:
            Conflict: there are more of the order by now.
        """
        ...

    async def update(self, entry: LedgerReturn, events: Sequence[Event] = ()) -> LedgerReturn:
        """Write the return when the stored version is ``entry.version``; return it with the next version.

        Raises:
            Conflict: the stored version differs.
        """
        ...

    async def returns(self, ids: Sequence[str]) -> Mapping[str, LedgerReturn]:
        """Return returns by platform id."""
        ...

    async def returns_of_processes(self, process_ids: Sequence[str]) -> Mapping[str, LedgerReturn]:
        """Return returns by the process that carries them."""
        ...

    async def returns_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[LedgerReturn, ...]]:
        """Return returns per order, oldest first."""
        ...

    async def returns_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[LedgerReturn, ...]]:
        """Return returns per account, newest first."""
        ...
