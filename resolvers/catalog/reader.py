"""Everything that one request reads of the catalog, batched: one call per system, however many items are asked for.

Items are for everybody. What was agreed with an account, and what it pays, exists only for those who may see the
account; what a price earns is for the distributor's own people with the right to know.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal

from resolvers.access import can_see, is_customer
from resolvers.catalog.facts import PriceSources
from resolvers.catalog.ports import CatalogPorts
from resolvers.catalog.pricing import MoveQuestion, PriceDesk, unknown_account
from resolvers.days import has_passed
from resolvers.envelopes import broken_rule
from resolvers.loaders import bulk_loader
from resolvers.timing import timed
from schema.catalog.agreement import parse_agreement_id
from schema.catalog.context import Priced, PriceQuestion
from schema.catalog.price import MARGIN_SCOPE
from schema.graphql.errors import BadUserInput, Forbidden
from schema.graphql.places import Place, page_of
from schema.records.catalog import Category, Item, ItemFilter, Price, PriceRule
from schema.records.identity import Principal
from schema.records.problems import Problem
from schema.records.values import Money, Page, PageRequest
from systems.errors import Rejected
from systems.ports import BAD_CURSOR

__all__ = ["CatalogReader"]

MARGIN_IS_HIDDEN_FROM = frozenset({"SALES", "SERVICE_DESK", "INTEGRATION"})
"""Roles that never show what a price earns, whatever scopes come with them: cost would follow from it."""

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class CatalogReader:
    """Reads items, agreements and prices, for one request of one principal."""

    def __init__(self, ports: CatalogPorts, principal: Principal) -> None:
        self.ports = ports
        self.principal = principal
        self.now: datetime = ports.clock.now()
        sources = PriceSources(ports, self.now)
        self._items = bulk_loader(sources.items)
        self._categories = bulk_loader(ports.items.categories)
        self._agreements = bulk_loader(ports.prices.agreements_of)
        self._survivors = bulk_loader(ports.merges.survivors)
        self._prices = PriceDesk(sources, ports.signer, self._items, self.now)

    async def item(self, sku: str) -> Item | None:
        """Return an item."""
        return await self._items.load(sku)

    async def item_by_gtin(self, gtin: str) -> Item | None:
        """Return the item that carries the GTIN on itself or on one of its units."""
        found = await self.ports.items.item_by_gtin(gtin)
        if found is not None:
            self._items.prime(found.sku, found)
        return found

    async def items(self, where: ItemFilter, page: PageRequest) -> Page[Item]:
        """Return a page of items by sku.

        Raises:
            BadUserInput: the cursor is none of this list.
            ConnectorError: the ERP does not answer.
        """
        try:
            found = await self.ports.items.search_items(where, page)
        except Rejected as error:
            if error.reason != BAD_CURSOR:
                raise
            said = f"after: cursor {page.after!r} is not one of this list: use endCursor of a page that it gave"
            raise BadUserInput(said) from error
        for item in found.items:
            self._items.prime(item.sku, item)
        return found

    async def category(self, category_id: str) -> Category | None:
        """Return a category."""
        return await self._categories.load(category_id)

    async def list_price(self, sku: str, currency: str) -> Money | None:
        """Return the list price of one base unit today, None when there is none.

        Raises:
            BadUserInput: the currency is no code.
            ConnectorError: the ERP does not answer.
        """
        if not _CURRENCY.fullmatch(currency):
            raise BadUserInput(f"currency {currency!r} is no ISO 4217 code such as USD")
        return await self._prices.list_price(sku, currency)

    async def price(self, question: PriceQuestion) -> Priced | Problem:
        """Return what a line costs, or why that cannot be told."""
        if not can_see(self.principal, question.account_id):
            return unknown_account(question.account_id)
        if question.on is not None and has_passed(question.on, self.now):
            return broken_rule("DATE_IN_PAST", f"{question.on} has passed: prices are told for today and later", "asOf")
        return await timed(self.ports.served, self._prices.price(question))

    async def has_moved(self, question: MoveQuestion) -> bool:
        """Return whether a changed row or another price group changes what an account pays, or may do so."""
        return await self._prices.has_moved(question)

    async def agreements_of(self, account_id: str, page: PageRequest, active_on: date | None) -> Page[PriceRule] | None:
        """Return a page of an account's contract rows by number, None when the principal may not see them.

        Raises:
            BadUserInput: the cursor is none of this list.
            ConnectorError: the ERP does not answer.
        """
        if not can_see(self.principal, account_id):
            return None
        rows = await self._agreements.load(account_id) or ()
        holding = [row for row in rows if active_on is None or _holds(row, active_on)]
        return page_of(holding, lambda row: Place(row.number, row.id), page)

    async def agreement(self, agreement_id: str) -> PriceRule | None:
        """Return a contract row, None when there is none that the principal may see.

        A row that went along when its account was merged is the survivor's, and found under the id that it had before.
        """
        wanted = parse_agreement_id(agreement_id)
        if wanted is None:
            return None
        account_id, rule_id = wanted
        found = await self._agreement(account_id, rule_id)
        if found is None and (survivor := await self._survivors.load(account_id)) is not None:
            return await self._agreement(survivor, rule_id)
        return found

    async def _agreement(self, account_id: str, rule_id: str) -> PriceRule | None:
        if not can_see(self.principal, account_id):
            return None
        rows = await self._agreements.load(account_id) or ()
        return next((row for row in rows if row.id == rule_id), None)

    def margin(self, price: Price) -> Decimal | None:
        """Return a price's margin in percent, None when it cannot be told.

        Raises:
            Forbidden: it is not for the principal to know.
        """
        who = self.principal
        is_bystander = bool(who.roles) and MARGIN_IS_HIDDEN_FROM.issuperset(who.known_roles)
        if is_customer(who) or is_bystander or MARGIN_SCOPE not in who.scopes:
            roles = ", ".join(sorted(MARGIN_IS_HIDDEN_FROM))
            said = f"it takes {MARGIN_SCOPE}, and another role than {roles}"
            raise Forbidden(f"marginPercent: {who.subject} may not see margins, {said}")
        return price.margin_percent


def _holds(row: PriceRule, day: date) -> bool:
    return row.valid_from <= day and (row.valid_to is None or day <= row.valid_to)
