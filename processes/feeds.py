"""Entries of an ERP's logs that cannot be told: they become dead letters, so that those behind them are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from events.inbox import InboxMessage
from schema.enums import SourceSystem

__all__ = ["Accepts", "Feed"]


class Accepts(Protocol):
    """What is wanted of the inbox."""

    async def accept(self, message: InboxMessage) -> bool:
        """Store a message; return False when it was stored before."""
        ...


@dataclass(frozen=True, slots=True)
class Feed:
    """One log of an ERP.

    Attributes:
        erp: whose log it is.
        name: of the place up to which it is read.
        kind: type of the messages about entries that could not be told.
    """

    erp: SourceSystem
    name: str
    kind: str

    async def set_aside(self, inbox: Accepts, entry: int, reason: str, told: Any) -> None:
        """Put an entry into the inbox, which makes a dead letter of what it cannot handle."""
        payload = {"entry": entry, "reason": reason, "told": told}
        await inbox.accept(InboxMessage(self.erp, f"{self.name}:{entry}", self.kind, payload))
