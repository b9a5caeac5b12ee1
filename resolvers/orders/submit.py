"""Mutations of orders and quotes: they check who asks and how, then start a process, which decides everything else.

What a request is about (items, units, dates, places) is checked by the process, all of it at once. Here only the
envelope is checked: key, waiting time, rights. A refused envelope starts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processes.api import MAX_WAIT_MS, OrderSubmission, ProcessStarter, QuotePreparation, Started
from resolvers.access import can_see, require_order_rights, require_quote_rights
from resolvers.envelopes import broken_rule, check_key, check_names
from schema.records.identity import Principal
from schema.records.problems import Problem, ValidationFailed

__all__ = ["Envelope", "prepare_quote", "submit_order"]

MAX_LINES = 500
"""Lines that a request may carry to a process; more is a file to be split."""

MAX_RESERVATIONS = 1_000
"""Reservations that an order may use: two for each of its lines."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """How something is asked for: the client's idempotency key, and how long it waits for the decision."""

    key: str
    wait_ms: int


async def submit_order(
    starter: ProcessStarter, submission: OrderSubmission, envelope: Envelope, principal: Principal
) -> Started:
    """Start order submission, or say why nothing was started.

    Raises:
        Forbidden: the principal may not place orders.
        ConnectorError: the platform's own ledger does not answer; safe to repeat with the same key.
    """
    require_order_rights(principal, "orderSubmit")
    problems = [
        *_envelope_problems(envelope, submission.account_id, len(submission.lines), principal),
        *check_names(
            accountId=submission.account_id,
            shipToId=submission.ship_to_id,
            poNumber=submission.po_number,
            quoteId=submission.quote_id,
            opportunityId=submission.opportunity_id,
        ),
    ]
    if len(submission.reservation_ids) > MAX_RESERVATIONS:
        said = f"there are {len(submission.reservation_ids)} reservations, at most {MAX_RESERVATIONS} are taken"
        problems.append(broken_rule("TOO_MANY_RESERVATIONS", said, "reservationIds"))
    if problems:
        return _refused(problems)
    return await starter.submit_order(submission, key=envelope.key, principal=principal, wait_ms=envelope.wait_ms)


async def prepare_quote(
    starter: ProcessStarter, preparation: QuotePreparation, envelope: Envelope, principal: Principal
) -> Started:
    """Start quote to order, or say why nothing was started.

    Raises:
        Forbidden: the principal may not prepare quotes.
        ConnectorError: the platform's own ledger does not answer; safe to repeat with the same key.
    """
    require_quote_rights(principal, "quotePrepare")
    problems = [
        *_envelope_problems(envelope, preparation.account_id, len(preparation.lines), principal),
        *check_names(
            accountId=preparation.account_id,
            shipToId=preparation.ship_to_id,
            opportunityId=preparation.opportunity_id,
        ),
    ]
    if problems:
        return _refused(problems)
    return await starter.prepare_quote(preparation, key=envelope.key, principal=principal, wait_ms=envelope.wait_ms)


def _envelope_problems(
    envelope: Envelope, account_id: str, lines: int, principal: Principal
) -> Sequence[ValidationFailed]:
    problems = list(check_key(envelope.key))
    if not 0 <= envelope.wait_ms <= MAX_WAIT_MS:
        said = f"waitMs is {envelope.wait_ms}: use 0 to {MAX_WAIT_MS}, and a subscription for longer waits"
        problems.append(broken_rule("WAIT_MS", said, "waitMs"))
    if not can_see(principal, account_id):
        problems.append(broken_rule("UNKNOWN_ACCOUNT", f"account {account_id} does not exist", "accountId"))
    if lines > MAX_LINES:
        said = f"there are {lines} lines, at most {MAX_LINES} are taken"
        problems.append(broken_rule("TOO_MANY_LINES", said, "lines"))
    return problems


def _refused(problems: Sequence[Problem]) -> Started:
    return Started(process_id=None, state=None, entity_id=None, problems=tuple(problems), replayed=False)
