"""With whom a subscription's stream from its subgraph may be shared.

Subgraphs may show each principal other events, so only the same principal shares; its tokens may differ. For a field
that the settings call public the subgraph is not told who asks, so it cannot make a difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config import SubscriptionSettings
from gateway.executor.context import Audience
from gateway.server.request import RequestContext

if TYPE_CHECKING:
    from gateway.server.prepared import Prepared

__all__ = ["StreamSharing"]

_EVERYBODY = "everybody"


class StreamSharing:
    """The policy of one gateway."""

    def __init__(self, settings: SubscriptionSettings | None = None) -> None:
        settings = settings or SubscriptionSettings()
        self._mode = settings.share_subgraph_streams
        self._public = frozenset(settings.public_fields)

    def audience(self, prepared: Prepared, context: RequestContext) -> Audience | None:
        """Return who may share the stream of a prepared subscription, None when nobody may."""
        if self._public and self._field(prepared) in self._public:
            return Audience(_EVERYBODY, context.headers)
        if self._mode == "none" or (self._mode == "resumable" and prepared.resumable is None):
            return None
        return Audience(context.principal)

    @staticmethod
    def _field(prepared: Prepared) -> str:
        plan = prepared.plan.source
        return f"{plan.root_type}.{plan.output[0].name}"
