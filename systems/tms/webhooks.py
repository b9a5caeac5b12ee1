"""What the transport system's webhooks tell, in canonical words."""

from __future__ import annotations

from typing import Any

from schema.enums import ShipmentStatus, SourceSystem
from systems.news import ShipmentNews, UnreadableNews, read_time
from systems.tms.records import MILESTONE_ONLY, STATUS, TENDERED, read_milestone, read_optional_time
from systems.webhooks import Webhook

__all__ = ["read_news"]


def read_news(webhook: Webhook) -> ShipmentNews:
    """Return what a webhook tells.

    Raises:
        UnreadableNews: nobody knows its type or its milestone's code, or it lacks what its type promises.
    """
    if webhook.type != "load.milestone":
        raise UnreadableNews(f"nobody knows webhooks of type {webhook.type!r} from the transport system")
    try:
        return _milestone_news(webhook)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise UnreadableNews(f"{webhook.type} lacks what it promises: {type(error).__name__} {error}") from error


def _milestone_news(webhook: Webhook) -> ShipmentNews:
    load, row = webhook.payload["load"], webhook.payload["milestone"]
    status = _status(load["statusCode"])
    read_time(row, "at")
    said = status if row["code"] in MILESTONE_ONLY else _status(row["code"])
    return ShipmentNews(
        source=SourceSystem.TMS,
        event_id=webhook.event_id,
        sequence=int(webhook.payload["sequence"]),
        shipment_number=str(load["shipmentNumber"]),
        order_id=str(load["orderRef"]),
        account_id=str(load["accountRef"]),
        milestone=read_milestone(row, said),
        status=status,
        warehouse_code=load["origin"],
        carrier=load["carrier"],
        tracking_number=load["trackingNumber"],
        estimated_delivery=read_optional_time(load["eta"]),
    )


def _status(code: Any) -> ShipmentStatus:
    if code is None:
        return TENDERED
    if code not in STATUS:
        raise UnreadableNews(f"nobody knows milestone {code!r} of the transport system")
    return STATUS[code]
