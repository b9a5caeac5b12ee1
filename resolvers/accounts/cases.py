"""Open a service case for a customer, once per key.

The service desk's system is the system of record of cases. A case that could not be opened leaves its key usable, so
that repeating the request opens it then; whether an answer is a repetition is told by the event log, not by the key.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from resolvers.access import can_see, require_case_rights
from resolvers.accounts.ports import AccountPorts
from resolvers.envelopes import broken_rule, check_key, unavailable
from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.accounts import ServiceCase
from schema.records.audit import AuditEntry
from schema.records.identity import Principal
from schema.records.problems import IdempotencyConflict, Problem, ValidationFailed
from systems.errors import ConnectorError, Rejected
from systems.ports import KeyUse

__all__ = ["PRIORITIES", "CaseRequest", "Opened", "open_case"]

PRIORITIES = ("LOW", "NORMAL", "HIGH")
"""How urgent a case can be."""

MAX_SUBJECT = 255
MAX_BODY = 32_000
"""Characters that the service desk keeps."""

_NOT_OPENED = "the case was not opened, repeat with the same key"


@dataclass(frozen=True, slots=True)
class CaseRequest:
    """What to open, for whom."""

    key: str
    account_id: str
    order_id: str | None
    subject: str
    priority: str
    body: str


@dataclass(frozen=True, slots=True)
class Opened:
    """What came of a request. ``is_replayed`` when an earlier request with the same key opened the case."""

    case: ServiceCase | None
    problems: tuple[Problem, ...] = ()
    is_replayed: bool = False


@dataclass(frozen=True, slots=True)
class _About:
    """The order that a case is about: whose it is, and the root of its story."""

    account_id: str
    correlation_id: str


async def open_case(ports: AccountPorts, request: CaseRequest, principal: Principal) -> Opened:
    """Open a case, or return the one that the key opened before, as it is now.

    Raises:
        Forbidden: the principal may not open cases.
        ConnectorError: the platform's own ledger does not answer; safe to repeat with the same key.
    """
    require_case_rights(principal, "caseOpen")
    try:
        about = await _order(ports, request.order_id)
        problems = [*_check_text(request), *await _check_ids(ports, request, about, principal)]
    except ConnectorError as error:
        return Opened(None, (_failure(error),))
    if problems:
        return Opened(None, tuple(problems))
    now = ports.clock.now()
    use = _key_use(request, principal)
    claimed = await ports.keys.claim(use, now)
    if claimed.payload_hash != use.payload_hash:
        return Opened(None, (_conflict(claimed),))
    try:
        opened = await ports.cases.open_case(
            claimed.process_id,
            account_id=request.account_id,
            order_id=request.order_id,
            subject=request.subject.strip(),
            priority=request.priority,
            body=request.body,
        )
    except ConnectorError as error:
        return Opened(None, (_failure(error),))
    told = await ports.events.append([_opened(opened, about, principal, now)])
    return Opened(opened, is_replayed=not told)


def _check_text(request: CaseRequest) -> Iterator[ValidationFailed]:
    yield from check_key(request.key)
    if not 0 < len(request.subject.strip()) <= MAX_SUBJECT:
        yield broken_rule("SUBJECT", f"a subject has 1 to {MAX_SUBJECT} characters", "subject")
    if not (request.body.strip() and len(request.body) <= MAX_BODY):
        yield broken_rule("BODY", f"a body has 1 to {MAX_BODY} characters: say what happened", "body")
    if request.priority not in PRIORITIES:
        said = f"priority {request.priority!r} is not known: use one of {', '.join(PRIORITIES)}"
        yield broken_rule("PRIORITY", said, "priority")


async def _check_ids(
    ports: AccountPorts, request: CaseRequest, about: _About | None, principal: Principal
) -> list[ValidationFailed]:
    problems = []
    account_id = request.account_id
    sees = can_see(principal, account_id)
    if not sees or account_id not in await ports.directory.accounts([account_id]):
        problems.append(broken_rule("UNKNOWN_ACCOUNT", f"account {account_id} does not exist", "accountId"))
    if request.order_id is not None and (about is None or about.account_id != account_id):
        said = f"order {request.order_id} is no order of account {account_id}"
        problems.append(broken_rule("UNKNOWN_ORDER", said, "orderId"))
    return problems


async def _order(ports: AccountPorts, order_id: str | None) -> _About | None:
    """Return whose order it is: the ledger knows what was submitted here, the ERP all others."""
    if order_id is None:
        return None
    submitted = (await ports.ledger.orders([order_id])).get(order_id)
    if submitted is not None:
        return _About(submitted.account_id, submitted.quote_id or order_id)
    document = (await ports.erp_orders.orders([order_id])).get(order_id)
    return None if document is None else _About(document.account_id, document.quote_id or order_id)


def _failure(error: ConnectorError) -> Problem:
    if error.system is SourceSystem.PLATFORM:
        raise error
    if isinstance(error, Rejected):
        return broken_rule("REFUSED_BY_SERVICE_DESK", f"the service desk refuses the case: {error.detail}", "input")
    return unavailable(error, _NOT_OPENED)


def _key_use(request: CaseRequest, principal: Principal) -> KeyUse:
    """Return the use of the client's key; who claims it first gives the key that the service desk sees."""
    payload = [request.account_id, request.order_id, request.subject.strip(), request.priority, request.body]
    digest = hashlib.sha256(json.dumps(payload).encode()).hexdigest()
    name = f"case_{uuid.uuid4().hex}"
    names = ("account_id", "order_id", "subject", "priority", "body")
    asked_for = dict(zip(names, payload, strict=True))
    asked = AuditEntry(
        principal.subject, "caseOpen", "REQUESTED", subject=name, account_id=request.account_id, after=asked_for
    )
    return KeyUse(f"{principal.subject}:caseOpen", request.key, digest, name, asked)


def _conflict(claimed: KeyUse) -> IdempotencyConflict:
    return IdempotencyConflict(
        code="IDEMPOTENCY_CONFLICT",
        message=f"idempotency key {claimed.key!r} was used before with another request: take a new one",
        path=("idempotencyKey",),
        original_process_id=claimed.process_id,
    )


def _opened(case: ServiceCase, about: _About | None, principal: Principal, now: datetime) -> Event:
    story = case.id if about is None else about.correlation_id
    return Event(
        id=f"case:{case.id}:opened",
        source="/dist/accounts",
        type="case.opened",
        subject=case.id,
        partition_key=case.order_id or case.id,
        correlation_id=story,
        system=SourceSystem.CRM,
        occurred_at=now,
        data={
            "caseId": case.id,
            "number": case.number,
            "accountId": case.account_id,
            "orderId": case.order_id,
            "priority": case.priority,
        },
        account_id=case.account_id,
        actor=principal.subject,
        manual=principal.subject.startswith("user:"),
    )
