"""The transport system's webhooks as news."""

from __future__ import annotations

from datetime import datetime

from schema.enums import SourceSystem
from systems.news import ShipmentNews, UnreadableNews
from systems.tms.records import read_milestone, read_status
from systems.webhooks import Webhook

__all__ = ["read_news"]


def read_news(webhook: Webhook) -> ShipmentNews:
    """Return what a webhook tells.

    Raises:
        UnreadableNews: nobody knows its type, or it lacks what its type promises.
    """
    if webhook.type != "load.milestone":
        raise UnreadableNews(f"nobody knows webhooks of type {webhook.type!r} from the transport system")
    try:
        load, eta = webhook.payload["load"], webhook.payload["load"].get("eta")
        return ShipmentNews(
            source=SourceSystem.TMS,
            event_id=webhook.event_id,
            sequence=int(webhook.payload["sequence"]),
            shipment_number=load["shipmentNumber"],
            order_id=load["orderRef"],
            account_id=load["accountRef"],
            milestone=read_milestone(webhook.payload["milestone"]),
            status=read_status(load["status"]),
            carrier=load["carrier"],
            tracking_number=load["trackingNumber"],
            estimated_delivery=None if eta is None else datetime.fromisoformat(eta),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableNews(f"{webhook.type} lacks what it promises: {type(error).__name__} {error}") from error
