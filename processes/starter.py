"""Starts processes so that the same request never starts two: the idempotency key's registry decides who is first."""

from __future__ import annotations

from processes.account_starts import AccountStarts
from processes.order_starts import OrderStarts
from processes.return_starts import ReturnStarts

__all__ = ["EngineStarter"]


class EngineStarter(OrderStarts, ReturnStarts, AccountStarts):
    """:class:`processes.api.ProcessStarter` and ``AccountStarter`` over the engine of this program."""
