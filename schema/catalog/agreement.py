# No postponed annotations: strawberry reads them.
"""Agreements: the rows of the price book that were made with one customer."""

import datetime as dt
from decimal import Decimal

import strawberry
from strawberry import Info

from schema.catalog.context import CatalogContext
from schema.catalog.price import PriceBreak, price_breaks
from schema.graphql.values import Money, Node, money
from schema.records import catalog as records

__all__ = ["PriceAgreement", "agreement_id", "parse_agreement_id"]

_Ctx = Info[CatalogContext, None]

EACH_OWN_UNIT = "C62"
"""UN/ECE unit "one": breaks over several items count each in its own base unit."""

_PREFIX = "agr_"
_SEPARATOR = ":"


def agreement_id(account_id: str, rule_id: str) -> str:
    """Return the platform id of an agreement; it carries the account, since the price book finds rows by account."""
    return f"{_PREFIX}{account_id}{_SEPARATOR}{rule_id}"


def parse_agreement_id(platform_id: str) -> tuple[str, str] | None:
    """Return (account id, rule id) within an agreement's platform id, None when the text is not one."""
    account_id, _, rule_id = platform_id.removeprefix(_PREFIX).partition(_SEPARATOR)
    return (account_id, rule_id) if platform_id.startswith(_PREFIX) and account_id and rule_id else None


@strawberry.federation.type(
    keys=["id"], description="A price or a discount agreed with a customer for an item, a category or everything."
)
class PriceAgreement(Node):
    """A price or a discount agreed with a customer."""

    record: strawberry.Private[records.PriceRule]
    number: str
    sku: str | None
    category_code: str | None
    unit: Money | None
    discount_percent: Decimal | None
    valid_from: dt.date
    valid_to: dt.date | None
    priority: int

    @classmethod
    def of(cls, record: records.PriceRule) -> "PriceAgreement":
        """Return a contract row as a graph value."""
        return cls(
            record=record,
            id=strawberry.ID(agreement_id(record.account_id or "", record.id)),
            number=record.number,
            sku=record.sku,
            category_code=record.category_code,
            unit=money(record.unit),
            discount_percent=record.discount_percent,
            valid_from=record.valid_from,
            valid_to=record.valid_to,
            priority=record.priority,
        )

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "PriceAgreement | None":  # noqa: A002 - the key
        """Return the agreement that a representation names."""
        found = await info.context.reader.agreement(id)
        if found is None:
            return None
        made = cls.of(found)
        made.id = id  # the one that it is known by, whichever account it is of by now
        return made

    @strawberry.field
    async def breaks(self, info: _Ctx) -> list[PriceBreak]:
        """Prices by quantity in base units; C62 stands for each item's own where it is about several."""
        found = self.record.breaks
        item = await info.context.reader.item(self.record.sku) if found and self.record.sku is not None else None
        return price_breaks(found, EACH_OWN_UNIT if item is None else item.base_uom)
