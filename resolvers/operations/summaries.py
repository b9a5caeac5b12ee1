"""What each type of event says in a sentence, to our own people and to customers.

A sentence is made of pieces between bars. A piece with a fact that the event does not carry is left out, so that events
of older versions and of other writers still read well. A fact in a fact is reached by a dot, and a style after a colon
says how it reads: ``:words`` makes ``IN_TRANSIT`` read "in transit", the others are in ``_STYLES``. A type that is not
in the table is told by its name, and only to our own people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from schema.events.envelope import Event

__all__ = ["CUSTOMER_TYPES", "MAX_FACT", "summary_for_customer", "summary_of"]

MAX_FACT = 200
"""Characters of one fact that a sentence takes; the rest is in the data of the event."""

_PIECES = "|"
_formatter = Formatter()


def _words(fact: str) -> str:
    return fact.replace("_", " ").lower()


_SHIPMENT_IS: Mapping[str, str] = {
    "PLANNED": "is planned",
    "RELEASED": "was released for picking",
    "PICKING": "is being picked",
    "PACKED": "is packed",
    "LOADED": "was loaded",
    "DEPARTED": "set off",
    "DELAYED": "is late",
    "DELIVERED": "was delivered",
    "DELIVERY_FAILED": "could not be delivered",
    "RETURNED": "came back",
    "CANCELLED": "was cancelled",
}
_PROCESS_IS: Mapping[str, str] = {
    "RUNNING": "goes on",
    "WAITING_HUMAN": "waits for a decision",
    "WAITING_SYSTEM": "waits for a system",
    "COMPENSATING": "is being taken back",
    "COMPLETED": "is completed",
    "FAILED": "has failed",
    "CANCELLED": "was cancelled",
}
_TOLD_OF: Mapping[str, str] = {
    "accepted": "that the order is accepted",
    "changed": "that the order was changed",
    "cancelled": "that the order was cancelled",
    "delayed": "of the delay",
    "delivered": "of the delivery",
    "invoice": "of the invoice",
    "return-authorized": "that the goods may come back",
    "return-credited": "of the credit",
    "return-replaced": "of the replacement",
    "return-closed": "that the return is closed",
}
_CHANNELS: Mapping[str, str] = {
    "SALES_REP": "a sales rep",
    "PORTAL": "the portal",
    "MOBILE": "the mobile app",
    "EMAIL": "e-mail",
    "ECOM": "the web shop",
    "SERVICE_DESK": "the service desk",
}
_STYLES: Mapping[str, Callable[[str], str]] = {
    "": str,
    "words": _words,
    "channel": lambda fact: _CHANNELS.get(fact, fact),
    "is": lambda fact: _SHIPMENT_IS.get(fact, f"is {_words(fact)}"),
    "process": lambda fact: _PROCESS_IS.get(fact, f"is {_words(fact)}"),
    "shipment": lambda fact: fact.removeprefix("sh_"),
    "told": lambda fact: _TOLD_OF.get(fact, f"of {_words(fact)}"),
}
"""How a fact reads; what a table does not know is told in its own words."""


@dataclass(frozen=True, slots=True)
class _Telling:
    """Sentences of one type; ``outside`` is that for customers, None when they are not told."""

    inside: str
    outside: str | None


def _all(sentence: str) -> _Telling:
    return _Telling(sentence, sentence)


def _inside(sentence: str) -> _Telling:
    return _Telling(sentence, None)


# fmt: off
_TELLINGS: Mapping[str, _Telling] = {
    "account.onboarding.submitted": _inside("Onboarding submitted|: {legalName}"),
    "account.onboarding.checked": _inside("Onboarding check| of {check:words}|: {result:words}"),
    "account.onboarding.awaiting": _inside("Onboarding waits for a decision"),
    "account.onboarding.escalated": _inside("Onboarding is not decided in time"),
    "account.onboarding.decided": _all("Onboarding decided|: {decision:words}"),
    "account.onboarding.compensated": _inside("Onboarding taken back"),
    "account.activated": _all("Account activated|, number {number}"),
    "account.changed": _inside("Account changed"),
    "account.merged": _inside("Account| {duplicateId}| merged into| {survivorId}"),
    "account.credit.changed": _inside("Credit changed"),
    "item.changed": _inside("Item| {sku}| changed"),
    "price.changed": _inside("Price| of {sku}| changed"),
    "inventory.position.changed": _inside("Stock of| {sku}| in {warehouseCode}|: {available} {uom} available"),
    "inventory.reserved": _inside("Stock reserved|: {quantity} {uom} of {sku}| in {warehouseCode}"),
    "inventory.released": _inside("Reserved stock given back|: {quantity} {uom} of {sku}| in {warehouseCode}"),
    "inventory.drift.detected": _inside("Stock differs between systems|: {sku}| in {warehouseCode}"),
    "quote.created": _inside("Quote| {number}| created"),
    "quote.priced": _inside("Quote| {number}| priced|: {total.amount} {total.currency}|, valid until {validUntil}"),
    "quote.approval.requested": _inside("Approval| by {level:words}| requested|: {reason}"),
    "quote.approval.decided": _inside("Approval| by {level:words}| decided|: {decision:words}"),
    "quote.sent": _all("Quote| {number}| sent"),
    "quote.accepted": _inside("Quote| {number}| accepted by the customer"),
    "quote.declined": _inside("Quote| {number}| declined by the customer"),
    "quote.recalled": _inside("Quote| {number}| taken back from the customer"),
    "quote.answer.refused": _inside("Quote| {number}| stays| {status:words}|, not {said:words} as the CRM said"),
    "quote.expired": _all("Quote| {number}| expired"),
    "quote.superseded": _inside("Quote| {number}| superseded by a changed price|: {reason}"),
    "quote.converted": _inside("Quote| {number}| became an order"),
    "quote.reopened": _inside("Quote| {number}| can be ordered again"),
    "order.received": _all("Order| {number}| received| over {channel:channel}|, {total.amount} {total.currency}"),
    "order.priced": _all("Order priced|: {subtotal} {currency}"),
    "order.held": _Telling("Order held| for {hold:words}|: {reason}|, waits in {queue}", "Order is being checked"),
    "order.hold.released": _Telling("Hold| for {hold:words}| released|: {reason}", "Order was checked"),
    "order.accepted": _all("Order| {number}| accepted|, number {erpNumber} in the ERP|, promised {promisedDate}"),
    "order.rejected": _all("Order| {number}| rejected|: {problems.0.message}"),
    "order.acknowledged": _all("Order| {number}| confirmed to the customer|, promised {promisedDate}"),
    "order.released": _all("Released to the warehouse| {warehouse}|, shipment {shipmentNumber}"),
    "order.delayed": _all("Order delayed|: {problem.message}"),
    "order.fulfillment.changed": _all("Fulfilment went on|: shipment {shipmentId:shipment} {shipmentStatus:is}"),
    "order.billing.changed": _inside("Billing of the order changed|: {problem.message}"),
    "crm.order.mirrored": _inside("The CRM shows the order| as {status:words}"),
    "order.completed": _all("Order| {number}| completed"),
    "order.cancelled": _all("Order| {number}| cancelled|: {problems.0.message}|: {reason}"),
    "order.change.requested": _all("Change of the order requested|: {reason}"),
    "order.change.accepted": _all("Change of the order accepted"),
    "order.change.refused": _all("Change of the order refused|: {problems.0.message}"),
    "order.split": _all("What is there of the order| goes ahead of the rest|: {reason}"),
    "order.line.allocated": _all("Line| {lineNo}|: {quantity} {uom} of {sku}| allocated|, warehouse {warehouse}"),
    "order.line.backordered": _all("Line| {lineNo}|: {quantity} {uom} of {sku}| backordered|, promised {promisedDate}"),
    "order.line.substituted": _all("Line| {lineNo}| substituted|: {quantity} {uom} of {sku}"),
    "shipment.picked": _all("Shipment| {shipmentNumber}| is being picked"),
    "shipment.packed": _all("Shipment| {shipmentNumber}| is packed"),
    "shipment.shipped": _all("Shipment| {shipmentNumber}| left the warehouse|, {carrier}| {trackingNumber}"),
    "shipment.tendered": _all("Shipment| {shipmentNumber}| given to a carrier|: {carrier}|, tracking {trackingNumber}"),
    "shipment.milestone": _all("Shipment| {shipmentNumber}| {status:is}| in {place}"),
    "shipment.delayed": _all("Shipment| {shipmentNumber}| is late| ({reasonCode})|, expected {estimatedDelivery}"),
    "shipment.delivered": _all("Shipment| {shipmentNumber}| was delivered| in {place}"),
    "shipment.failed": _all("Delivery of shipment| {shipmentNumber}| failed| ({reasonCode})"),
    "invoice.posted": _all("Invoice| {number}| posted|: {total.amount} {total.currency}|, due {due}"),
    "invoice.mismatch": _inside("Invoice| {number}| differs from the order"),
    "invoice.disputed": _inside("Invoice| {number}| disputed"),
    "invoice.paid": _inside("Invoice| {number}| paid"),
    "invoice.credited": _all("Invoice| {number}| credited"),
    "return.requested": _all("Return| {rmaNumber}| requested"),
    "return.approved": _all("Return| {rmaNumber}| approved"),
    "return.authorized": _all("Return| {rmaNumber}| expected| in {warehouse}"),
    "return.closed": _all("Return| {rmaNumber}| closed|: {reason}"),
    "return.denied": _all("Return| {rmaNumber}| denied|: {reason}"),
    "return.received": _all("Return| {rmaNumber}| received"),
    "return.inspected": _all("Return| {rmaNumber}| inspected|: {disposition}"),
    "return.credited": _all("Return| {rmaNumber}| credited|: {credit.amount} {credit.currency}"),
    "return.replaced": _all("Return| {rmaNumber}| replaced"),
    "customer.notified": _all("Customer told| {template:told}|, over {channel:channel}"),
    "case.opened": _all("Service case| {number}| opened"),
    "case.answered": _all("Service case| {number}| answered"),
    "case.resolved": _all("Service case| {number}| resolved"),
    "order.hold.escalated": _inside("Hold| for {hold:words}| was not decided in time|, {queue} is asked"),
    "quote.approval.reminded": _inside("Reminder|: {level:words} has not decided yet"),
    "quote.approval.escalated": _inside("Approval| by {level:words}| was not decided in time|, {queue} is asked"),
    "process.state.changed": _inside("Process| {kind:words}| {state:process}|: {reason}"),
    "process.retried": _inside("Process| {kind:words}| tried again| from {step}"),
    "process.step.failed": _inside("Step| {step}| at {system}| failed|: {message}"),
    "process.step.compensated": _inside("Step| {step}| at {system}| taken back"),
    "task.opened": _inside("Task opened| in {queue}|: {summary}"),
    "task.claimed": _inside("Task claimed| in {queue}"),
    "task.resolved": _inside("Task resolved| in {queue}|: {resolution}"),
    "message.deadlettered": _inside("Message could not be handled|: {reason}"),
    "message.replayed": _inside("Message replayed"),
    "service.measured": _inside("Prices and promises|: {answered} of {total} were answered"),
    "system.circuit.opened": _inside("System| {system}| is left alone: it gives no answers"),
    "system.circuit.closed": _inside("System| {system}| answers again"),
}
# fmt: on

CUSTOMER_TYPES = tuple(sorted(name for name, telling in _TELLINGS.items() if telling.outside is not None))
"""Types of events that customers are told of."""


def summary_of(event: Event) -> str:
    """Return what happened in a sentence, for our own people."""
    telling = _TELLINGS.get(event.type)
    return event.type if telling is None else _say(telling.inside, event.data)


def summary_for_customer(event: Event) -> str | None:
    """Return what happened in a sentence for customers, None when they are not told of such events."""
    telling = _TELLINGS.get(event.type)
    return None if telling is None or telling.outside is None else _say(telling.outside, event.data)


def _say(sentence: str, data: Mapping[str, Any]) -> str:
    return "".join(_piece(piece, data) for piece in sentence.split(_PIECES))


def _piece(piece: str, data: Mapping[str, Any]) -> str:
    """Return a piece with its facts, nothing when one of them is missing."""
    said = []
    for text, name, style, _ in _formatter.parse(piece):
        said.append(text)
        if name is not None:
            fact = _fact(data, name)
            if fact is None:
                return ""
            said.append(_STYLES[style or ""](fact))
    return "".join(said)


def _fact(data: Mapping[str, Any], path: str) -> str | None:
    found: Any = data
    for name in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(name)
        elif isinstance(found, Sequence) and not isinstance(found, str) and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    if found is None or found == "" or not isinstance(found, str | int | float):
        return None
    text = str(found)
    return text if len(text) <= MAX_FACT else f"{text[: MAX_FACT - 1]}…"
