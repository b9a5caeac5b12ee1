# No postponed annotations: strawberry reads them.
"""Root fields of the orders subgraph."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry
from strawberry import Info

from processes.api import (
    LineChange,
    OrderCancellation,
    OrderChange,
    OrderSubmission,
    QuotePreparation,
    QuoteRequestLine,
    ReturnLineAsked,
    ReturnVerdict,
    Started,
    SubmissionLine,
)
from resolvers.follow import Scope, follow
from resolvers.orders.amend import cancel_order, change_order
from resolvers.orders.answers import OrderAnswers
from resolvers.orders.follow import (
    INVOICE_EVENTS,
    ORDER_EVENTS,
    RETURN_EVENTS,
    SHIPMENT_EVENTS,
    milestone_of,
    problem_of,
)
from resolvers.orders.returns import decide_return, request_return
from resolvers.orders.submit import Envelope, prepare_quote, submit_order
from schema.graphql.idempotent import Idempotent
from schema.graphql.paging import Connection
from schema.graphql.resumable import Resumable
from schema.orders import stubs
from schema.orders.inputs import (
    OrderCancelInput,
    OrderChangeInput,
    OrderFilter,
    OrderSubmitInput,
    QuotePrepareInput,
    ReturnRequestInput,
    order_query,
)
from schema.orders.invoice import Invoice, invoice_id
from schema.orders.order import Order
from schema.orders.paging import slice_connection
from schema.orders.payloads import (
    InvoiceEvent,
    OrderEvent,
    OrderPayload,
    QuotePayload,
    ReturnEvent,
    ReturnPayload,
    ShipmentEvent,
)
from schema.orders.problems import order_exception, order_problem
from schema.orders.quote import Quote
from schema.orders.returns import Return
from schema.orders.shipment import Milestone, Shipment
from schema.records.returns import CREDIT
from schema.records.waiting import DECISION_WAIT_MS
from subgraphs.context import RequestContext
from subgraphs.orders.decisions import Decisions

__all__ = ["Mutation", "Query", "Subscription"]

_Ctx = Info[RequestContext[OrderAnswers], None]

_RESUMABLE = Resumable(cursor="eventId", argument="after")
_KEY_IN_INPUT = Idempotent(key="input.idempotencyKey")
_KEY = Idempotent(key="idempotencyKey")


async def _return(info: _Ctx, id: strawberry.ID) -> Return | None:  # noqa: A002 - the argument is called so
    """The return with this id."""
    found = await info.context.reader.return_(id)
    return None if found is None else Return.of(found)


@strawberry.type
class Query:
    """Reads of orders, quotes, shipments, invoices and returns."""

    @strawberry.field
    async def quote(self, info: _Ctx, id: strawberry.ID) -> Quote | None:  # noqa: A002 - the argument is called so
        """The quote with this id."""
        found = await info.context.reader.quote(id)
        return None if found is None else Quote.of(found)

    @strawberry.field
    async def order(self, info: _Ctx, id: strawberry.ID) -> Order | None:  # noqa: A002 - the argument is called so
        """The order with this id."""
        found = await info.context.reader.order(id)
        return None if found is None else Order.of(found)

    @strawberry.field
    async def order_by_number(self, info: _Ctx, number: str) -> Order | None:
        """The order with this number."""
        found = await info.context.reader.order_by_number(number)
        return None if found is None else Order.of(found)

    @strawberry.field
    async def orders(
        self,
        info: _Ctx,
        filter: OrderFilter | None = None,  # noqa: A002 - the argument is called so
        first: int | None = 25,
        after: str | None = None,
    ) -> Connection[Order]:
        """Orders that the caller may see, newest first.

        A filter by status or exceptions looks at the newest 200 orders behind the cursor that may match; while
        hasNextPage is true, endCursor leads on.
        """
        found = await info.context.reader.orders(order_query(filter, first, after))
        return slice_connection(found, Order.of, after)

    @strawberry.field
    async def shipment(self, info: _Ctx, id: strawberry.ID) -> Shipment | None:  # noqa: A002 - the argument
        """The shipment with this id."""
        found = await info.context.reader.shipment(id)
        return None if found is None else Shipment.of(found)

    @strawberry.field
    async def shipment_by_tracking(self, info: _Ctx, tracking_number: str) -> Shipment | None:
        """The shipment that a carrier tracks under this number."""
        found = await info.context.reader.shipment_by_tracking(tracking_number)
        return None if found is None else Shipment.of(found)

    @strawberry.field
    async def invoice_by_number(self, info: _Ctx, number: str) -> Invoice | None:
        """The invoice with this number."""
        found = await info.context.reader.invoice(invoice_id(number))
        return None if found is None else Invoice.of(found)

    return_: Return | None = strawberry.field(resolver=_return, name="return")


@strawberry.type
class Mutation(Decisions):
    """Processes that are started here."""

    @strawberry.mutation(directives=[_KEY_IN_INPUT])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def order_submit(self, info: _Ctx, input: OrderSubmitInput) -> OrderPayload:  # noqa: A002 - the argument
        """Submit an order and wait for its decision, at most `waitMs`; it goes on when the wait is over.

        The same `idempotencyKey` and input give the same answer again, with `replayed`.
        """
        envelope = Envelope(input.idempotency_key, _wait(input.wait_ms))
        context = info.context
        started = await submit_order(context.reader.ports.starter, _submission(input), envelope, context.principal)
        order = None if started.entity_id is None else await context.renew().order(started.entity_id)
        return OrderPayload(
            order=None if order is None else Order.of(order),
            process=_process(started),
            problems=[order_problem(problem) for problem in started.problems],
            replayed=started.replayed,
        )

    @strawberry.mutation(directives=[_KEY_IN_INPUT])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def quote_prepare(self, info: _Ctx, input: QuotePrepareInput) -> QuotePayload:  # noqa: A002 - the argument
        """Price a quote live and wait for it, at most `waitMs`; approvals go on when the wait is over.

        The same `idempotencyKey` and input give the same answer again, with `replayed`.
        """
        envelope = Envelope(input.idempotency_key, _wait(input.wait_ms))
        context = info.context
        started = await prepare_quote(context.reader.ports.starter, _preparation(input), envelope, context.principal)
        quote = None if started.entity_id is None else await context.renew().quote(started.entity_id)
        return QuotePayload(
            quote=None if quote is None else Quote.of(quote),
            process=_process(started),
            problems=[order_problem(problem) for problem in started.problems],
            replayed=started.replayed,
        )

    @strawberry.mutation(directives=[_KEY_IN_INPUT])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def order_change(self, info: _Ctx, input: OrderChangeInput) -> OrderPayload:  # noqa: A002 - the argument
        """Change lines of an accepted order, as long as they are not picked; refused, the order stays as it was.

        The same `idempotencyKey` and input give the same answer again, with `replayed`.
        """
        context = info.context
        started = await change_order(
            context.reader.ports.starter, context.reader, _change(input), input.idempotency_key, context.principal
        )
        return await _order_payload(context, started)

    @strawberry.mutation(directives=[_KEY_IN_INPUT])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def order_cancel(self, info: _Ctx, input: OrderCancelInput) -> OrderPayload:  # noqa: A002 - the argument
        """Cancel an order, as long as nothing of it is picked; refused, the order stays as it was.

        The same `idempotencyKey` and input give the same answer again, with `replayed`.
        """
        context = info.context
        asked = OrderCancellation(input.order_id, input.version, input.reason)
        started = await cancel_order(
            context.reader.ports.starter, context.reader, asked, input.idempotency_key, context.principal
        )
        return await _order_payload(context, started)

    @strawberry.mutation(directives=[_KEY_IN_INPUT])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def return_request(self, info: _Ctx, input: ReturnRequestInput) -> ReturnPayload:  # noqa: A002 - the argument
        """Ask to send goods back; what is worth little is authorised at once, a person decides about the rest.

        The same `idempotencyKey` and input give the same answer again, with `replayed`.
        """
        context = info.context
        lines = tuple(ReturnLineAsked(line.line_no, line.quantity.record(), line.reason) for line in input.lines)
        asked = (str(input.order_id), lines, input.resolution or CREDIT)
        started = await request_return(
            context.reader.ports.starter, context.reader, asked, input.idempotency_key, context.principal
        )
        return await _return_payload(context, started)

    @strawberry.mutation(directives=[_KEY])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def return_decide(
        self, info: _Ctx, idempotency_key: str, return_id: strawberry.ID, approve: bool, comment: str
    ) -> ReturnPayload:
        """Decide about a return that waits for a person: whether goods may come, or whether what came is settled.

        The same `idempotencyKey` and decision give the same answer again, with `replayed`.
        """
        context = info.context
        verdict = ReturnVerdict(return_id, approve, comment)
        started = await decide_return(
            context.reader.ports.starter, context.reader, verdict, idempotency_key, context.principal
        )
        return await _return_payload(context, started)


@strawberry.type
class Subscription:
    """Streams that go on after the last event seen."""

    @strawberry.subscription(directives=[_RESUMABLE])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def order_status_changed(
        self,
        info: _Ctx,
        order_id: strawberry.ID | None = None,
        account_id: strawberry.ID | None = None,
        after: strawberry.ID | None = None,
    ) -> AsyncGenerator[OrderEvent, None]:
        """What happens to orders; `after` is the last eventId seen, so that nothing is missed or told twice."""
        context = info.context
        stream = follow(
            context.reader.ports.events, ORDER_EVENTS, Scope(order_id, account_id), after, context.principal
        )
        async with aclosing(stream) as events:
            async for stored in events:
                event = stored.event
                order = await context.renew().order(event.partition_key)
                if order is None:
                    continue
                problem = problem_of(event, await context.reader.exceptions(order))
                yield OrderEvent(
                    event_id=strawberry.ID(event.id),
                    at=event.occurred_at,
                    type=event.type,
                    order=Order.of(order),
                    problem=None if problem is None else order_exception(problem),
                )

    @strawberry.subscription(directives=[_RESUMABLE])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def shipment_milestone(
        self,
        info: _Ctx,
        order_id: strawberry.ID | None = None,
        account_id: strawberry.ID | None = None,
        after: strawberry.ID | None = None,
    ) -> AsyncGenerator[ShipmentEvent, None]:
        """What happens to shipments; `after` is the last eventId seen, so that nothing is missed or told twice."""
        context = info.context
        stream = follow(
            context.reader.ports.events, SHIPMENT_EVENTS, Scope(order_id, account_id), after, context.principal
        )
        async with aclosing(stream) as events:
            async for stored in events:
                event = stored.event
                shipment = await context.renew().shipment(event.subject)
                if shipment is None:
                    continue
                yield ShipmentEvent(
                    event_id=strawberry.ID(event.id),
                    at=event.occurred_at,
                    milestone=Milestone.of(milestone_of(event, shipment.status)),
                    shipment=Shipment.of(shipment),
                )

    @strawberry.subscription(directives=[_RESUMABLE])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def invoice_posted(
        self, info: _Ctx, account_id: strawberry.ID, after: strawberry.ID | None = None
    ) -> AsyncGenerator[InvoiceEvent, None]:
        """Invoices of an account as they are posted; `after` is the last eventId seen."""
        context = info.context
        stream = follow(context.reader.ports.events, INVOICE_EVENTS, Scope(None, account_id), after, context.principal)
        async with aclosing(stream) as events:
            async for stored in events:
                event = stored.event
                invoice = await context.renew().invoice(event.subject)
                if invoice is None:
                    continue
                yield InvoiceEvent(event_id=strawberry.ID(event.id), at=event.occurred_at, invoice=Invoice.of(invoice))

    @strawberry.subscription(directives=[_RESUMABLE])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def return_status_changed(
        self, info: _Ctx, return_id: strawberry.ID, after: strawberry.ID | None = None
    ) -> AsyncGenerator[ReturnEvent, None]:
        """What happens to a return; `after` is the last eventId seen, so that nothing is missed or told twice."""
        context = info.context
        stream = follow(context.reader.ports.events, RETURN_EVENTS, Scope(return_id, None), after, context.principal)
        async with aclosing(stream) as events:
            async for stored in events:
                event = stored.event
                found = await context.renew().return_(event.subject)
                if found is None:
                    continue
                yield ReturnEvent(event_id=strawberry.ID(event.id), at=event.occurred_at, return_=Return.of(found))


async def _return_payload(context: RequestContext[OrderAnswers], started: Started) -> ReturnPayload:
    found = None if started.entity_id is None else await context.renew().return_(started.entity_id)
    return ReturnPayload(
        return_=None if found is None else Return.of(found),
        process=_process(started),
        problems=[order_problem(problem) for problem in started.problems],
        replayed=started.replayed,
    )


async def _order_payload(context: RequestContext[OrderAnswers], started: Started) -> OrderPayload:
    order = None if started.entity_id is None else await context.renew().order(started.entity_id)
    return OrderPayload(
        order=None if order is None else Order.of(order),
        process=_process(started),
        problems=[order_problem(problem) for problem in started.problems],
        replayed=started.replayed,
    )


def _change(asked: OrderChangeInput) -> OrderChange:
    return OrderChange(
        order_id=asked.order_id,
        version=asked.version,
        lines=tuple(
            LineChange(
                line_no=line.line_no,
                quantity=None if line.quantity is None else line.quantity.record(),
                cancel=bool(line.cancel),
                requested_date=line.requested_date,
            )
            for line in asked.lines
        ),
        reason=asked.reason,
    )


def _wait(wait_ms: int | None) -> int:
    return DECISION_WAIT_MS if wait_ms is None else wait_ms


def _process(started: Started) -> stubs.ProcessInstance | None:
    if started.process_id is None or started.state is None:
        return None
    return stubs.ProcessInstance(id=strawberry.ID(started.process_id), state=started.state)


def _submission(asked: OrderSubmitInput) -> OrderSubmission:
    return OrderSubmission(
        account_id=asked.account_id,
        ship_to_id=asked.ship_to_id,
        channel=asked.channel,
        lines=tuple(
            SubmissionLine(
                line_no=line.line_no,
                sku=line.sku,
                quantity=line.quantity.record(),
                unit_price=None if line.unit_price is None else line.unit_price.record(),
                price_token=line.price_token,
                requested_date=line.requested_date,
            )
            for line in asked.lines
        ),
        po_number=asked.po_number,
        quote_id=asked.quote_id,
        opportunity_id=asked.opportunity_id,
        requested_date=asked.requested_date,
        ship_complete=bool(asked.ship_complete),
        allow_backorder=asked.allow_backorder is not False,
        allow_substitutes=bool(asked.allow_substitutes),
        accept_current_prices=bool(asked.accept_current_prices),
        reservation_ids=tuple(asked.reservation_ids or ()),
    )


def _preparation(asked: QuotePrepareInput) -> QuotePreparation:
    return QuotePreparation(
        account_id=asked.account_id,
        lines=tuple(
            QuoteRequestLine(
                line_no=line.line_no,
                sku=line.sku,
                quantity=line.quantity.record(),
                requested_unit_price=None if line.requested_unit_price is None else line.requested_unit_price.record(),
                price_token=line.price_token,
            )
            for line in asked.lines
        ),
        ship_to_id=asked.ship_to_id,
        opportunity_id=asked.opportunity_id,
        valid_until=asked.valid_until,
    )
