"""The warehouse system's webhooks as news."""

from __future__ import annotations

from schema.enums import ShipmentStatus, SourceSystem
from systems.news import ShipmentNews, StockNews, UnreadableNews
from systems.webhooks import Webhook
from systems.wms.records import read_milestone, read_position

__all__ = ["read_news"]

_SHIPMENT_TYPES = frozenset(
    ("release.accepted", "release.cancelled", "shipment.picked", "shipment.packed", "shipment.shipped")
)


def read_news(webhook: Webhook) -> ShipmentNews | StockNews:
    """Return what a webhook tells.

    Raises:
        UnreadableNews: nobody knows its type, or it lacks what its type promises.
    """
    payload = webhook.payload
    try:
        if webhook.type == "stock.changed":
            return StockNews(SourceSystem.WMS, webhook.event_id, read_position(payload["position"]))
        if webhook.type in _SHIPMENT_TYPES:
            shipment = payload["shipment"]
            return ShipmentNews(
                source=SourceSystem.WMS,
                event_id=webhook.event_id,
                sequence=int(payload["sequence"]),
                shipment_number=shipment["number"],
                order_id=shipment["orderRef"],
                account_id=shipment["accountRef"],
                milestone=read_milestone(payload["milestone"]),
                status=ShipmentStatus(shipment["status"]),
                warehouse_code=shipment["warehouse"],
                lines=tuple((int(line["lineNo"]), str(line["quantity"])) for line in shipment["lines"]),
                sscc=tuple(shipment["sscc"]),
            )
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise UnreadableNews(f"{webhook.type} lacks what it promises: {type(error).__name__} {error}") from error
    raise UnreadableNews(f"nobody knows webhooks of type {webhook.type!r} from the warehouse system")
