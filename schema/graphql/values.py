# No postponed annotations: strawberry reads them.
"""Values that several subgraphs return, and inputs that several take."""

import datetime as dt
import decimal

import strawberry

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.enums import SourceSystem
from schema.records import values
from schema.records.currencies import trim_to_minor

__all__ = [
    "Address",
    "AddressInput",
    "ExternalRef",
    "Freshness",
    "ItemUom",
    "Money",
    "MoneyInput",
    "Node",
    "Quantity",
    "QuantityInput",
    "addresses",
    "external_refs",
    "money",
]


@strawberry.interface(description="Anything with an id of its own.")
class Node:
    """Anything with an id of its own."""

    id: strawberry.ID


@strawberry.federation.type(shareable=True, description="An amount of money; the currency is ISO 4217.")
class Money:
    """An amount of money."""

    amount: decimal.Decimal
    currency: str

    @classmethod
    def of(cls, record: values.Money) -> "Money":
        """Return the record as a graph value; prices that rules keep with four decimals have as many as they need."""
        shown = trim_to_minor(record)
        return cls(amount=shown.amount, currency=shown.currency)


@strawberry.federation.type(shareable=True, description="A quantity; the unit is a UN/ECE Recommendation 20 code.")
class Quantity:
    """A quantity with its unit."""

    value: decimal.Decimal
    uom: str

    @classmethod
    def of(cls, record: values.Quantity) -> "Quantity":
        """Return the record as a graph value."""
        return cls(value=record.value, uom=record.uom)


@strawberry.federation.type(shareable=True, description="Who gave an answer, when, and whether it may be outdated.")
class Freshness:
    """How old an answer is."""

    source: SourceSystem
    as_of: dt.datetime
    stale: bool
    note: str | None

    @classmethod
    def of(cls, record: values.Freshness) -> "Freshness":
        """Return the record as a graph value."""
        return cls(source=record.source, as_of=record.as_of, stale=record.stale, note=record.note)


@strawberry.federation.type(shareable=True, description="The id that a system uses for a thing of ours.")
class ExternalRef:
    """The id that a system uses for a thing of ours."""

    system: SourceSystem
    id: str
    current: bool

    @classmethod
    def of(cls, record: values.ExternalRef) -> "ExternalRef":
        """Return the record as a graph value."""
        return cls(system=record.system, id=record.id, current=record.current)


@strawberry.federation.type(shareable=True, description="A postal address; the country is ISO 3166-1 alpha-2.")
class Address:
    """A postal address."""

    line1: str
    line2: str | None
    city: str
    region: str | None
    postal_code: str
    country: str
    gln: str | None

    @classmethod
    def of(cls, record: values.Address) -> "Address":
        """Return the record as a graph value."""
        return cls(
            line1=record.line1,
            line2=record.line2,
            city=record.city,
            region=record.region,
            postal_code=record.postal_code,
            country=record.country,
            gln=record.gln,
        )


@strawberry.federation.type(shareable=True, description="A unit in which an item is sold.")
class ItemUom:
    """A unit in which an item is sold; ``per_base`` base units make one of it."""

    uom: str
    per_base: decimal.Decimal
    gtin: str | None
    sellable: bool

    @classmethod
    def of(cls, record: values.ItemUom) -> "ItemUom":
        """Return the record as a graph value."""
        return cls(uom=record.uom, per_base=record.per_base, gtin=record.gtin, sellable=record.sellable)


@strawberry.input(description="An amount of money.")
class MoneyInput:
    """An amount of money as input."""

    amount: decimal.Decimal
    currency: str

    def record(self) -> values.Money:
        """Return the input as a record."""
        return values.Money(self.amount, self.currency)


@strawberry.input(description="A quantity with its unit.")
class QuantityInput:
    """A quantity as input."""

    value: decimal.Decimal
    uom: str

    def record(self) -> values.Quantity:
        """Return the input as a record."""
        return values.Quantity(self.value, self.uom)


@strawberry.input(description="A postal address.")
class AddressInput:
    """A postal address as input."""

    line1: str
    city: str
    postal_code: str
    country: str
    line2: str | None = None
    region: str | None = None
    gln: str | None = None

    def record(self) -> values.Address:
        """Return the input as a record."""
        return values.Address(
            line1=self.line1,
            city=self.city,
            postal_code=self.postal_code,
            country=self.country,
            line2=self.line2,
            region=self.region,
            gln=self.gln,
        )


def money(record: values.Money | None) -> Money | None:
    """Return an amount that may be missing."""
    return None if record is None else Money.of(record)


def external_refs(records: tuple[values.ExternalRef, ...]) -> list[ExternalRef]:
    """Return references to other systems."""
    return [ExternalRef.of(record) for record in records]


def addresses(records: tuple[values.Address, ...]) -> list[Address]:
    """Return addresses."""
    return [Address.of(record) for record in records]
