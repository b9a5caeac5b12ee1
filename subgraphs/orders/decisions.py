# No postponed annotations: strawberry reads them.
"""Mutations by which persons decide about held orders and quotes."""

import strawberry
from strawberry import Info

from processes.api import Started
from processes.decision_api import HoldRelease, QuoteDecision
from resolvers.orders.answers import OrderAnswers
from resolvers.orders.decide import HOLD_RELEASE, QUOTE_APPROVE, decide_quote, release_hold
from schema.graphql.decorators import federated_field
from schema.graphql.idempotent import Idempotent
from schema.orders import stubs
from schema.orders.inputs import OrderHoldReleaseInput
from schema.orders.order import Order
from schema.orders.payloads import OrderPayload, QuotePayload
from schema.orders.problems import order_problem
from schema.orders.quote import Quote
from subgraphs.context import RequestContext

__all__ = ["Decisions"]

_Ctx = Info[RequestContext[OrderAnswers], None]

_KEY_IN_INPUT = Idempotent(key="input.idempotencyKey")
_KEY = Idempotent(key="idempotencyKey")


@strawberry.type
class Decisions:
    """What persons decide."""

    @federated_field(requires_scopes=[[QUOTE_APPROVE]], directives=[_KEY])
    async def quote_decide(
        self,
        info: _Ctx,
        idempotency_key: str,
        quote_id: strawberry.ID,
        version: int,
        approve: bool,
        comment: str,
    ) -> QuotePayload:
        """Approve or reject a quote below its margin floor, at every level that the caller decides.

        Whoever asked for the quote does not decide; `version` is that of the quote as it was read.
        """
        context = info.context
        decision = QuoteDecision(quote_id, version, approve, comment)
        started = await decide_quote(context.reader.ports.desk, decision, idempotency_key, context.principal)
        quote = None if started.entity_id is None else await context.renew().quote(started.entity_id)
        return QuotePayload(
            quote=None if quote is None else Quote.of(quote),
            process=_process(started),
            problems=[order_problem(problem) for problem in started.problems],
            replayed=started.replayed,
        )

    @federated_field(requires_scopes=[[HOLD_RELEASE]], directives=[_KEY_IN_INPUT])
    async def order_hold_release(self, info: _Ctx, input: OrderHoldReleaseInput) -> OrderPayload:  # noqa: A002 - the argument
        """Release a hold of an order, which goes on when it was the last one; whoever submitted it does not.

        A credit hold is released up to `maxAmount` (without one, what the order comes to) until `expiresAt` (without
        one, for three days). An order that is not covered any more when it goes to the warehouse is held again.
        """
        context = info.context
        release = HoldRelease(
            order_id=input.order_id,
            kind=input.kind,
            comment=input.comment,
            max_amount=None if input.max_amount is None else input.max_amount.record(),
            expires_at=input.expires_at,
        )
        started = await release_hold(context.reader.ports.desk, release, input.idempotency_key, context.principal)
        order = None if started.entity_id is None else await context.renew().order(started.entity_id)
        return OrderPayload(
            order=None if order is None else Order.of(order),
            process=_process(started),
            problems=[order_problem(problem) for problem in started.problems],
            replayed=started.replayed,
        )


def _process(started: Started) -> stubs.ProcessInstance | None:
    if started.process_id is None or started.state is None:
        return None
    return stubs.ProcessInstance(id=strawberry.ID(started.process_id), state=started.state)
