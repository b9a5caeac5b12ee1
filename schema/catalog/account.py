# No postponed annotations: strawberry reads them.
"""Accounts as the catalog sees them: what was agreed with them, what they pay."""

import datetime as dt

import strawberry
from strawberry import Info

from schema.catalog.agreement import PriceAgreement
from schema.catalog.context import BuyerTerms, CatalogContext, PriceQuestion
from schema.catalog.item import PriceResult, price_result
from schema.graphql.decorators import federated_field
from schema.graphql.paging import Connection, connection, page_request
from schema.graphql.values import QuantityInput

__all__ = ["Account"]

_Ctx = Info[CatalogContext, None]

AGREEMENTS_PAGE = 50
"""Agreements of one page when the caller does not say."""


@strawberry.federation.type(keys=["id"])
class Account:
    """A customer; accounts know more and tell its currency and price group."""

    buyer: strawberry.Private[BuyerTerms | None] = None
    id: strawberry.ID
    price_group: str | None = strawberry.federation.field(external=True)
    currency: str | None = strawberry.federation.field(external=True)

    @classmethod
    def resolve_reference(
        cls,
        id: strawberry.ID,  # noqa: A002 - the key is called so
        priceGroup: str | None = None,  # noqa: N803 - named as in the representation
        currency: str | None = None,
    ) -> "Account":
        """Return the account that a representation names, with the terms that it brings along; a prospect has none."""
        buyer = None if currency is None else BuyerTerms(currency, priceGroup)
        return cls(buyer=buyer, id=id, price_group=priceGroup, currency=currency)

    @strawberry.field
    async def agreements(
        self,
        info: _Ctx,
        active_on: dt.date | None = None,
        first: int | None = AGREEMENTS_PAGE,
        after: str | None = None,
    ) -> Connection[PriceAgreement] | None:
        """Agreements by number, those of `activeOn` or all; a parent's are the parent's."""
        page = page_request(first, after, AGREEMENTS_PAGE)
        found = await info.context.reader.agreements_of(self.id, page, active_on)
        return None if found is None else connection(found, PriceAgreement.of, after)

    @federated_field(requires=["priceGroup currency"])
    async def price(
        self, info: _Ctx, sku: str, quantity: QuantityInput, as_of: dt.date | None = None
    ) -> PriceResult | None:
        """What `quantity` of an item costs on a day, by default today; the token of a later day holds nothing."""
        question = PriceQuestion(self.id, sku, quantity.record(), as_of, buyer=self.buyer)
        return price_result(await info.context.reader.price(question))
