"""From the rules that apply to the price of one base unit and the steps that lead to it (rules 6.1.2 to 6.1.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from processes.rules.rule_selection import Ambiguous, Applicable, Chosen, breaks_of, choose, price_at
from schema.enums import PriceSource, PricingConflictReason
from schema.records.catalog import PriceBreak, PriceLevel, PriceRule
from schema.records.problems import PricingConflict
from schema.records.values import Money

__all__ = ["ExchangeRate", "PriceDecision", "Step", "decide"]

ExchangeRate = Callable[[str, str], Decimal | None]
"""How many of the second currency one of the first is worth on the price date; None when there is no rate."""

_HUNDRED = Decimal(100)
_CONTRACTS = (PriceSource.CONTRACT, PriceSource.PARENT_CONTRACT)


@dataclass(frozen=True, slots=True)
class Step:
    """Price of one base unit after a step from list to net; the first step starts from nothing."""

    source: PriceSource
    rule_id: str
    description: str
    after: Decimal


@dataclass(frozen=True, slots=True)
class PriceDecision:
    """The price of one base unit, unrounded.

    Attributes:
        rule: the deciding rule.
        source: its level.
        amount: net price of one base unit.
        list_amount: list price without quantity breaks, None when the item has none.
        steps: how the price came about; the last one's ``after`` is ``amount``.
        breaks: the deciding rule's prices by quantity, promotions included.
        lower, upper: base quantities in which the same rules decide; ``upper`` None is unbounded, equal bounds mean
            that the price holds for this quantity only.
    """

    rule: PriceRule
    source: PriceSource
    amount: Decimal
    list_amount: Decimal | None
    steps: tuple[Step, ...]
    breaks: tuple[PriceBreak, ...]
    lower: Decimal
    upper: Decimal | None


def decide(
    entries: Sequence[Applicable], quantity: Decimal, currency: str, fx: ExchangeRate, sku: str
) -> PriceDecision | PricingConflict:
    """Return the deciding rule and the price of one base unit, or why there is none.

    Args:
        entries: rules that apply to customer, item and day, in any currency.
        quantity: base units asked for.
        currency: the customer's currency.
        fx: exchange rate for list prices.
        sku: what is priced, for messages.
    """
    case = _Case.of(entries, quantity, currency, fx)
    base = case.choose(entry for entry in case.entries if entry.rule.level is not PriceLevel.PROMOTION)
    if isinstance(base, Ambiguous):
        return _ambiguous(base, sku)
    doubt = case.doubtful_discount(base)
    if doubt is not None:
        return _ambiguous(doubt, sku)
    if base is not None and base.entry.source is PriceSource.FX_CONVERTED and case.foreign_contract():
        return _conflict(sku, PricingConflictReason.NO_PRICE_IN_CURRENCY, f"the contract is not in {currency}")
    promotion = case.promotion_for(base)
    if isinstance(promotion, Ambiguous):
        return _ambiguous(promotion, sku)
    if base is None and promotion is None:
        if case.foreign:
            return _conflict(sku, PricingConflictReason.NO_PRICE_IN_CURRENCY, f"no price row is in {currency}")
        return _conflict(sku, PricingConflictReason.NO_PRICE, "no price row applies on this day and for this quantity")
    return case.decision(base, promotion)


@dataclass(frozen=True, slots=True)
class _Case:
    """One price question with the rows of its currency, list rows converted where there are none."""

    entries: tuple[Applicable, ...]
    foreign: tuple[Applicable, ...]
    quantity: Decimal
    list_choice: Chosen | None
    list_doubt: Ambiguous | None

    @classmethod
    def of(cls, entries: Sequence[Applicable], quantity: Decimal, currency: str, fx: ExchangeRate) -> _Case:
        own = [entry for entry in entries if entry.rule.currency == currency]
        foreign = tuple(entry for entry in entries if entry.rule.currency != currency)
        if not any(entry.rule.level is PriceLevel.LIST for entry in own):
            own += _converted(foreign, currency, fx)
        listed = choose(
            (entry for entry in own if entry.rule.level is PriceLevel.LIST),
            quantity,
            lambda rule: price_at(rule, quantity),
        )
        doubt = listed if isinstance(listed, Ambiguous) else None
        return cls(tuple(own), foreign, quantity, listed if isinstance(listed, Chosen) else None, doubt)

    def choose(self, entries: Iterable[Applicable]) -> Chosen | Ambiguous | None:
        return choose(entries, self.quantity, self.amount)

    def amount(self, rule: PriceRule) -> Decimal | None:
        """Price of one base unit under a rule; a discount is off the list price at this quantity."""
        if rule.discount_percent is None or rule.unit is not None or rule.breaks:
            return price_at(rule, self.quantity)
        return None if self.list_choice is None else _less(self.list_choice.amount, rule.discount_percent)

    def doubtful_discount(self, base: Chosen | None) -> Ambiguous | None:
        """The list rows in doubt when a discount off them would have decided."""
        floor = -1 if base is None else base.entry.rank
        discounts = (entry for entry in self.entries if entry.rule.discount_percent is not None)
        outranks = any(entry.rank > floor and entry.rule.level is not PriceLevel.PROMOTION for entry in discounts)
        return self.list_doubt if outranks else None

    def foreign_contract(self) -> bool:
        return any(entry.source in _CONTRACTS for entry in self.foreign)

    def promotion_for(self, base: Chosen | None) -> Chosen | Ambiguous | None:
        """The promotion that changes the price, None when none does."""
        if base is not None and base.entry.rule.exclusive:
            return None
        found = self.choose(entry for entry in self.entries if entry.rule.level is PriceLevel.PROMOTION)
        if found is None or base is None:
            return found
        choices = found.choices if isinstance(found, Ambiguous) else (found,)
        matters = any(_stacks(base.entry.rule, entry.entry.rule) or entry.amount < base.amount for entry in choices)
        return found if matters else None

    def decision(self, base: Chosen | None, promotion: Chosen | None) -> PriceDecision:
        if base is not None and promotion is not None and _stacks(base.entry.rule, promotion.entry.rule):
            percent = promotion.entry.rule.discount_percent or Decimal(0)
            steps = [*self._steps(base), _step(promotion, _less(base.amount, percent))]
            return self._decision(base, steps, percent)
        winner = promotion or base
        if winner is None:
            raise ValueError("a decision needs a rule")
        return self._decision(winner, self._steps(winner), Decimal(0))

    def _decision(self, winner: Chosen, steps: Sequence[Step], percent: Decimal) -> PriceDecision:
        lower, upper = self._band()
        return PriceDecision(
            rule=winner.entry.rule,
            source=winner.entry.source,
            amount=steps[-1].after,
            list_amount=None if self.list_choice is None else _lowest(self.list_choice),
            steps=tuple(steps),
            breaks=_discounted(self._breaks(winner), percent),
            lower=lower,
            upper=upper,
        )

    def _steps(self, winner: Chosen) -> list[Step]:
        """Steps from the list price to the winner's price: list, contract or group or promotion, quantity break."""
        rule = winner.entry.rule
        listed = self.list_choice
        steps = []
        if listed is not None:
            steps.append(
                Step(listed.entry.source, listed.entry.rule.id, f"List {listed.entry.rule.number}", _lowest(listed))
            )
        if rule.level is not PriceLevel.LIST:
            before = _lowest(winner) if breaks_of(rule) else _less(steps[0].after, rule.discount_percent or Decimal(0))
            steps.append(_step(winner, before))
        if not steps or steps[-1].after != winner.amount:
            by_break = winner if breaks_of(rule) else listed or winner
            said = f"From {by_break.threshold:f} base units on"
            steps.append(Step(PriceSource.QUANTITY_BREAK, by_break.entry.rule.id, said, winner.amount))
        return steps

    def _breaks(self, winner: Chosen) -> tuple[PriceBreak, ...]:
        own = breaks_of(winner.entry.rule)
        if own or self.list_choice is None:
            return own if len(own) > 1 else winner.entry.rule.breaks
        off_list = _discounted(breaks_of(self.list_choice.entry.rule), winner.entry.rule.discount_percent or Decimal(0))
        return off_list if len(off_list) > 1 else ()

    def _band(self) -> tuple[Decimal, Decimal | None]:
        """Quantities for which no other price can come out: between the breaks of every row that applies."""
        if any(entry.rule.graduated for entry in self.entries):
            return self.quantity, self.quantity
        starts = {entry.min_quantity for row in (*self.entries, *self.foreign) for entry in breaks_of(row.rule)}
        lower = max((start for start in starts if start <= self.quantity), default=Decimal(0))
        return lower, min((start for start in starts if start > self.quantity), default=None)


def _converted(foreign: Sequence[Applicable], currency: str, fx: ExchangeRate) -> list[Applicable]:
    """List rows of another currency in ours; of several currencies the first by name that has a rate."""
    lists = [entry for entry in foreign if entry.rule.level is PriceLevel.LIST]
    for other in sorted({entry.rule.currency for entry in lists}):
        rate = fx(other, currency)
        if rate is not None:
            return [
                replace(entry, rule=_in_currency(entry.rule, currency, rate), source=PriceSource.FX_CONVERTED)
                for entry in lists
                if entry.rule.currency == other
            ]
    return []


def _in_currency(rule: PriceRule, currency: str, rate: Decimal) -> PriceRule:
    return replace(
        rule,
        currency=currency,
        unit=None if rule.unit is None else Money(rule.unit.amount * rate, currency),
        breaks=tuple(
            PriceBreak(entry.min_quantity, Money(entry.unit.amount * rate, currency)) for entry in rule.breaks
        ),
    )


def _stacks(base: PriceRule, promotion: PriceRule) -> bool:
    """Whether the promotion comes on top: both say so, and it is a percentage that can be taken off any price."""
    return base.combinable and promotion.combinable and promotion.discount_percent is not None


def _less(amount: Decimal, percent: Decimal) -> Decimal:
    return amount * (_HUNDRED - percent) / _HUNDRED


def _lowest(choice: Chosen) -> Decimal:
    """Price of a rule at its smallest quantity."""
    steps = breaks_of(choice.entry.rule)
    return steps[0].unit.amount if steps else choice.amount


def _discounted(breaks: Sequence[PriceBreak], percent: Decimal) -> tuple[PriceBreak, ...]:
    return tuple(
        PriceBreak(entry.min_quantity, Money(_less(entry.unit.amount, percent), entry.unit.currency))
        for entry in breaks
    )


def _step(choice: Chosen, after: Decimal) -> Step:
    rule = choice.entry.rule
    name = choice.entry.source.value.replace("_", " ").capitalize()
    said = (
        f"{name} {rule.number}"
        if rule.discount_percent is None
        else f"{name} {rule.number}, {rule.discount_percent:f} %"
    )
    return Step(choice.entry.source, rule.id, said, after)


def _ambiguous(found: Ambiguous, sku: str) -> PricingConflict:
    numbers = ", ".join(choice.entry.rule.number for choice in found.choices)
    reason = PricingConflictReason.AMBIGUOUS_RULES
    return _conflict(sku, reason, f"rules {numbers} are level and differ in price: give one of them a higher priority")


def _conflict(sku: str, reason: PricingConflictReason, why: str) -> PricingConflict:
    return PricingConflict(code="PRICING_CONFLICT", message=f"{sku} has no price: {why}", sku=sku, reason=reason)
