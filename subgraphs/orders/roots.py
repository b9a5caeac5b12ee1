# No postponed annotations: strawberry reads them.
"""Root fields of the orders subgraph."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry
from strawberry import Info

from processes.api import OrderSubmission, QuotePreparation, QuoteRequestLine, Started, SubmissionLine
from resolvers.orders.answers import OrderAnswers
from resolvers.orders.follow import ORDER_EVENTS, SHIPMENT_EVENTS, Scope, follow, milestone_of, problem_of
from resolvers.orders.submit import Envelope, prepare_quote, submit_order
from schema.graphql.paging import Connection
from schema.orders import stubs
from schema.orders.inputs import OrderFilter, OrderSubmitInput, QuotePrepareInput, order_query
from schema.orders.invoice import Invoice, invoice_id
from schema.orders.order import Order
from schema.orders.paging import slice_connection
from schema.orders.payloads import OrderEvent, OrderPayload, QuotePayload, ShipmentEvent
from schema.orders.problems import order_exception, order_problem
from schema.orders.quote import Quote
from schema.orders.returns import Return
from schema.orders.shipment import Milestone, Shipment
from subgraphs.context import RequestContext

__all__ = ["Mutation", "Query", "Subscription"]

_Ctx = Info[RequestContext[OrderAnswers], None]

DEFAULT_WAIT_MS = 2500


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

        A filter by status or exceptions looks at the newest 200 orders behind the cursor; while hasNextPage is true,
        endCursor leads on.
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
class Mutation:
    """Processes that are started here."""

    @strawberry.mutation
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

    @strawberry.mutation
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


@strawberry.type
class Subscription:
    """Streams that go on after the last event seen."""

    @strawberry.subscription
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

    @strawberry.subscription
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


def _wait(wait_ms: int | None) -> int:
    return DEFAULT_WAIT_MS if wait_ms is None else wait_ms


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
