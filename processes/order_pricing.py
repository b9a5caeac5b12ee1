"""P3 steps 4 and 5: what the customer pays, and whether the customer may owe that much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from processes.api import SubmissionLine
from processes.order_case import OrderCase
from processes.order_checks import not_sellable
from processes.order_hold import HOLD_DUE, is_covered, is_price_released, refused_hold, task_suffix, turn_of
from processes.price_facts import PriceFacts, load_rates, per_base, price_facts
from processes.rules import credit, floor, tax
from processes.rules.price import settle
from processes.rules.settlement import Charge
from processes.rules.uom import factor, to_base
from processes.steps import DONE, Outcome, Verdict
from schema.enums import HoldKind, PriceSource, SourceSystem
from schema.events.envelope import Event
from schema.records.accounts import CustomerTerms
from schema.records.catalog import Item, Price
from schema.records.currencies import round_to_minor
from schema.records.operations import ExceptionTask
from schema.records.orders import LedgerOrder, OrderHold, Quote
from schema.records.problems import ApprovalRequired, CreditHold, ItemNotSellable, Problem, ValidationFailed
from schema.records.values import Money
from systems.errors import NotFound

__all__ = [
    "AGREED",
    "check_credit",
    "find_credit_hold",
    "hold_credit",
    "order_total",
    "price_order",
    "pricing_ground",
    "queue_of_level",
]

CREDIT_QUEUE = "CREDIT"
PRICING_QUEUE = "PRICING"
AGREED = (PriceSource.QUOTE_LOCK, PriceSource.CONTRACT, PriceSource.PARENT_CONTRACT)
"""Prices that somebody has agreed to already; the floor was decided then."""


@dataclass(frozen=True, slots=True)
class _Priced:
    charge: Charge
    below_floor: ApprovalRequired | None


async def price_order(case: OrderCase) -> Outcome:
    """Charge every line: quote lock, token, else today's price; hold what is below its floor.

    Prices that somebody has let pass stay as they are.
    """
    if is_price_released(await case.known_order()):
        return DONE
    terms, items, facts = await pricing_ground(case)
    quote = await case.quote()
    ship_to = await case.ship_to()
    priced: dict[int, _Priced] = {}
    problems: list[Problem] = []
    for index, line in enumerate(case.submission.lines):
        item = items[line.sku]
        current = facts.price(item, line.quantity, ship_to, case.use)
        found = _charge(case, index, line, item, current, quote)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            priced[line.line_no] = _Priced(found, _below_floor(index, line, item, found, facts))
    if problems:
        return Outcome(Verdict.REFUSED, tuple(problems))
    await _write_prices(case, terms, items, priced)
    low = [entry.below_floor for entry in priced.values() if entry.below_floor is not None]
    return await _hold_price(case, low) if low else DONE


async def check_credit(case: OrderCase) -> Outcome:
    """Hold the order when the customer, or the parent whose limit covers the group, may not owe this much more."""
    order = await case.known_order()
    if refused_hold(order) is not None:
        return Outcome(Verdict.HELD)  # a person has decided already
    total = (await order_total(case, order)).total
    if is_covered(order, total, case.use.clock.now()):
        return DONE
    found = await find_credit_hold(case, total)
    return DONE if found is None else await hold_credit(case, found)


async def find_credit_hold(case: OrderCase, total: Money) -> CreditHold | None:
    """Return why the customer may not owe ``total`` more than now, None when it may."""
    terms = await _required_terms(case)
    pending = [
        amount for amount in await case.use.orders.open_exposure(case.account_id, case.order_id) if amount.amount
    ]
    parent = await _group(case)
    open_orders = (await case.use.erp.open_values([case.account_id])).get(case.account_id)
    none_yet = Money(Decimal(0), terms.credit.open_receivables.currency)
    return credit.check(
        terms,
        order_total=total,
        open_orders=open_orders or none_yet,
        pending=pending,
        now=case.use.clock.now(),
        fx=await _credit_rates(case, terms, [total, *pending, *(() if parent is None else parent.amounts)]),
        parent=parent,
    )


async def order_total(case: OrderCase, order: LedgerOrder) -> tax.OrderTotals:
    """Return what an order comes to with tax, as reckoned before the ERP says so."""
    items, ship_to, terms = await case.items(), await case.ship_to(), await _required_terms(case)
    lines = []
    for line in order.lines:
        if line.unit_price is None or ship_to is None:
            continue
        extended = round_to_minor(line.unit_price.amount * line.wanted, order.currency)
        rate = tax.determine(ship_to, items[line.sku], terms.tax_registrations, case.use.clock.now().date())
        lines.append(tax.TaxedLine(extended, rate.rate_percent))
    return tax.totals(lines, order.currency)


def queue_of_level(level: str) -> str:
    """Return the task queue of those who may approve at a level."""
    return {floor.SALES_MANAGER: "SALES", floor.PRICING_DESK: PRICING_QUEUE}.get(level, "FINANCE")


async def pricing_ground(case: OrderCase) -> tuple[CustomerTerms, Mapping[str, Item], PriceFacts]:
    """Return what prices of an order's items are made of."""
    account, terms, items = await case.account(), await _required_terms(case), await case.items()
    if account is None:
        raise NotFound(SourceSystem.CRM, "price order", f"account {case.account_id} has gone")
    return terms, items, await price_facts(case.use, account, terms, items, case.use.clock.now())


async def _required_terms(case: OrderCase) -> CustomerTerms:
    terms = await case.terms()
    if terms is None:
        raise NotFound(case.terms_erp, "terms", f"customer {case.account_id} has gone")
    return terms


def _charge(
    case: OrderCase, index: int, line: SubmissionLine, item: Item, current: object, quote: Quote | None
) -> Charge | Problem:
    """Return what the line is charged at, or why it cannot be."""
    place = ("lines", str(index))
    if isinstance(current, ItemNotSellable):
        return not_sellable(current, *place, "sku")
    locked = _lock(quote, line)
    if not isinstance(current, Price):
        if locked is None:
            return _problem_at(current, place)
        extended = round_to_minor(locked.amount * line.quantity.value, locked.currency)
        return Charge(locked, extended, PriceSource.QUOTE_LOCK, None)
    base = to_base(line.quantity, item)
    if isinstance(base, ValidationFailed):
        return replace(base, path=place)
    return settle(
        line.unit_price,
        line.price_token,
        current,
        account_id=case.account_id,
        base_quantity=base,
        signer=case.use.price_signer,
        now=case.request.submitted_at,
        locked=locked,
        accept_current=case.submission.accept_current_prices,
        path=place,
    )


def _problem_at(problem: object, place: tuple[str, ...]) -> Problem:
    if not isinstance(problem, Problem):
        raise TypeError(f"{type(problem).__name__} is neither a price nor a problem")
    return replace(problem, path=place)


def _lock(quote: Quote | None, line: SubmissionLine) -> Money | None:
    """Return the quoted price of a line that asks for exactly what was quoted."""
    if quote is None:
        return None
    return next(
        (entry.unit_price for entry in quote.lines if entry.sku == line.sku and entry.quantity == line.quantity), None
    )


def _below_floor(
    index: int, line: SubmissionLine, item: Item, charge: Charge, facts: PriceFacts
) -> ApprovalRequired | None:
    if charge.source in AGREED:
        return None
    base = factor(line.quantity.uom, item)
    if isinstance(base, ValidationFailed):
        return None
    return floor.check_floor(item, per_base(charge.unit, base), facts.fx, ("lines", str(index)))


async def _write_prices(
    case: OrderCase, terms: CustomerTerms, items: Mapping[str, Item], priced: Mapping[int, _Priced]
) -> None:
    def changed(order: LedgerOrder) -> LedgerOrder:
        lines = tuple(
            replace(
                line,
                description=items[line.sku].name,
                unit_price=priced[line.line_no].charge.unit,
                price_source=priced[line.line_no].charge.source.value,
            )
            for line in order.lines
        )
        return case.at_home(replace(order, currency=terms.currency, lines=lines))

    def tell(order: LedgerOrder) -> Sequence[Event]:
        lines = [
            {
                "lineNo": number,
                "unitPrice": str(entry.charge.unit.amount),
                "extended": str(entry.charge.extended.amount),
                "source": entry.charge.source.value,
            }
            for number, entry in priced.items()
        ]
        subtotal = sum((entry.charge.extended.amount for entry in priced.values()), Decimal(0))
        facts = {"currency": order.currency, "subtotal": str(subtotal), "lines": lines, "status": order.status.value}
        return [case.news("order.priced", "priced:1", facts)]

    await case.change(changed, tell)


async def _hold_price(case: OrderCase, low: Sequence[ApprovalRequired]) -> Outcome:
    order, now = await case.order(), case.use.clock.now()
    tasks = [
        ExceptionTask(
            id=f"tsk_{case.order_id}_PRICE_{place}{task_suffix(order, HoldKind.PRICE)}",
            queue=queue_of_level(entry.level),
            kind="ApprovalRequired",
            state="OPEN",
            order_id=case.order_id,
            account_id=case.account_id,
            process_id=case.request.process_id,
            summary=f"order {order.number}: {entry.reason}",
            opened_at=now,
            due_at=now + HOLD_DUE,
            assignee=None,
            resolutions=("APPROVE", "REJECT"),
        )
        for place, entry in enumerate(low)
    ]
    problems = tuple(replace(entry, task_id=task.id) for entry, task in zip(low, tasks, strict=True))
    reason = "; ".join(entry.reason for entry in low)
    await case.hold(OrderHold(HoldKind.PRICE, reason, now, tasks[0].queue, now + HOLD_DUE), problems, tasks)
    return Outcome(Verdict.HELD, problems)


async def hold_credit(case: OrderCase, found: CreditHold) -> Outcome:
    """Hold the order for a credit controller."""
    order, now = await case.order(), case.use.clock.now()
    task = ExceptionTask(
        id=f"tsk_{case.order_id}_CREDIT_{turn_of(order, HoldKind.CREDIT)}",
        queue=CREDIT_QUEUE,
        kind="CreditHold",
        state="OPEN",
        order_id=case.order_id,
        account_id=case.account_id,
        process_id=case.request.process_id,
        summary=f"order {order.number}: {found.message}",
        opened_at=now,
        due_at=now + HOLD_DUE,
        assignee=None,
        resolutions=("RELEASE", "REJECT"),
    )
    problem = replace(found, task_id=task.id)
    await case.hold(OrderHold(HoldKind.CREDIT, found.message, now, CREDIT_QUEUE, now + HOLD_DUE), [problem], [task])
    return Outcome(Verdict.HELD, (problem,))


async def _group(case: OrderCase) -> credit.GroupExposure | None:
    """Return the nearest parent that has a limit, with what the rest of its children owe and have ordered."""
    account = await case.account()
    if account is None or account.parent_id is None:
        return None
    parent = (await case.use.erp.terms([account.parent_id])).get(account.parent_id)
    if parent is None or parent.credit.limit is None:
        return None
    children = (await case.use.crm.children([account.parent_id])).get(account.parent_id, ())
    others = [child.id for child in children if child.id != account.id]
    owing = await case.use.erp.terms(others) if others else {}
    ordered = await case.use.erp.open_values([account.parent_id, *others])
    receivables = [entry.credit.open_receivables for entry in owing.values()]
    return credit.GroupExposure(parent, (*receivables, *ordered.values()))


async def _credit_rates(case: OrderCase, terms: CustomerTerms, amounts: Sequence[Money]) -> credit.ExchangeRate:
    target = (terms.credit.limit or terms.credit.open_receivables).currency
    rates = await load_rates(case.use, {entry.currency for entry in amounts}, target, case.use.clock.now().date())
    return lambda base, quote: Decimal(1) if base == quote else rates.get((base, quote))
