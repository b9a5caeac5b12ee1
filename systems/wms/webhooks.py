"""The warehouse system's webhooks as news."""

from __future__ import annotations

from decimal import Decimal

from schema.enums import ReturnStatus, ShipmentStatus, SourceSystem
from schema.records.orders import ReturnLine
from schema.records.returns import return_id
from schema.records.values import Quantity
from systems.news import ReturnNews, ShipmentNews, StockNews, UnreadableNews, read_time
from systems.webhooks import Webhook
from systems.wms.records import read_milestone, read_position

__all__ = ["read_news"]

_SHIPMENT_TYPES = frozenset(
    ("release.accepted", "release.cancelled", "shipment.picked", "shipment.packed", "shipment.shipped")
)


_RETURN_TYPES = {"return.received": ReturnStatus.RECEIVED, "return.inspected": ReturnStatus.INSPECTED}


def read_news(webhook: Webhook) -> ShipmentNews | StockNews | ReturnNews:
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
        if webhook.type in _RETURN_TYPES:
            return _return_news(webhook)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise UnreadableNews(f"{webhook.type} lacks what it promises: {type(error).__name__} {error}") from error
    raise UnreadableNews(f"nobody knows webhooks of type {webhook.type!r} from the warehouse system")


def _return_news(webhook: Webhook) -> ReturnNews:
    told = webhook.payload["return"]
    return ReturnNews(
        source=SourceSystem.WMS,
        event_id=webhook.event_id,
        return_id=return_id(told["rmaNumber"]),
        status=_RETURN_TYPES[webhook.type],
        at=read_time(webhook.payload, "occurredAt"),
        warehouse_code=told["warehouse"],
        lines=tuple(
            ReturnLine(
                line_no=int(line["lineNo"]),
                sku=line["sku"],
                quantity=Quantity(Decimal(line["quantity"]), line["uom"]),
                reason=line["reason"],
                disposition=line["disposition"],
            )
            for line in told["lines"]
        ),
    )
