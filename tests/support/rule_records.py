"""Small constructors of records for rule tests: everything has a plain default, a test names what it is about."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from schema.enums import ItemStatus, SourceSystem, SupplyKind
from schema.records.accounts import CreditProfile, CustomerTerms, ShipTo, TaxRegistration
from schema.records.catalog import Category, Item, PriceBreak, PriceLevel, PriceQuery, PriceRule
from schema.records.inventory import InboundSupply, StockPosition, Warehouse
from schema.records.values import Address, ExternalRef, Freshness, ItemUom, Money, Quantity

NOW = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
"""A Wednesday, 10:00 in New York: before every cut-off used here."""

TODAY = date(2026, 3, 4)
FRESH = Freshness(SourceSystem.CLOUD_ERP, NOW)
SIGNING_KEY = b"a key of thirty-two bytes or more"


def money(amount: str | Decimal, currency: str = "USD") -> Money:
    return Money(Decimal(amount), currency)


def qty(value: str | int | Decimal, uom: str = "EA") -> Quantity:
    return Quantity(Decimal(value), uom)


def item(
    sku: str = "PMP-0042",
    *,
    status: ItemStatus = ItemStatus.ACTIVE,
    uoms: tuple[tuple[str, str], ...] = (("EA", "1"), ("XBX", "6"), ("XPX", "240")),
    brand: str | None = "Norvik",
    category: str | None = "PUMPS",
    cost: str = "25.00",
    cost_currency: str = "USD",
    floor: str = "22",
    minimum: str = "0",
    multiple: str = "0",
    restricted: tuple[str, ...] = (),
    substitutes: tuple[str, ...] = (),
    tax_category: str = "STANDARD",
) -> Item:
    return Item(
        id=f"itm_{sku}",
        sku=sku,
        name=sku,
        description=None,
        brand=brand,
        category=None if category is None else Category(f"cat_{category}", category, category, None),
        status=status,
        base_uom="EA",
        uoms=tuple(ItemUom(uom, Decimal(per_base)) for uom, per_base in uoms),
        gtin=None,
        net_weight=None,
        hazmat_class=None,
        lot_controlled=False,
        tax_category=tax_category,
        substitute_skus=substitutes,
        restricted_regions=restricted,
        unit_cost=money(cost, cost_currency),
        floor_margin_percent=Decimal(floor),
        min_quantity=Decimal(minimum),
        multiple=Decimal(multiple),
        refs=(),
    )


def rule(
    name: str,
    level: PriceLevel,
    unit: str | None = None,
    *,
    percent: str | None = None,
    breaks: tuple[tuple[str, str], ...] = (),
    currency: str = "USD",
    account: str | None = None,
    group: str | None = None,
    sku: str | None = "PMP-0042",
    category: str | None = None,
    brand: str | None = None,
    start: date = date(2026, 1, 1),
    end: date | None = None,
    priority: int = 0,
    inherit: bool = False,
    exclusive: bool = False,
    combinable: bool = False,
    graduated: bool = False,
) -> PriceRule:
    return PriceRule(
        id=f"rule_{name}",
        number=name,
        level=level,
        currency=currency,
        account_id=account,
        price_group=group,
        sku=sku,
        category_code=category,
        brand=brand,
        unit=None if unit is None else money(unit, currency),
        discount_percent=None if percent is None else Decimal(percent),
        breaks=tuple(PriceBreak(Decimal(start_at), money(price, currency)) for start_at, price in breaks),
        valid_from=start,
        valid_to=end,
        priority=priority,
        inherit=inherit,
        exclusive=exclusive,
        combinable=combinable,
        graduated=graduated,
    )


def credit(
    *,
    limit: str | None = "10000",
    receivables: str = "0",
    overdue: str = "0",
    days: int = 0,
    on_hold: bool = False,
    as_of: datetime = NOW,
    currency: str = "USD",
) -> CreditProfile:
    return CreditProfile(
        limit=None if limit is None else money(limit, currency),
        open_receivables=money(receivables, currency),
        overdue=money(overdue, currency),
        max_days_past_due=days,
        on_hold=on_hold,
        hold_reason="disputed invoice" if on_hold else None,
        as_of=as_of,
    )


def terms(
    *,
    account: str = "acc_1",
    currency: str = "USD",
    group: str | None = "GOLD",
    blocked: str = "",
    profile: CreditProfile | None = None,
    tolerance: int = 0,
    registrations: tuple[TaxRegistration, ...] = (),
) -> CustomerTerms:
    return CustomerTerms(
        account_id=account,
        number="C-10042",
        currency=currency,
        payment_terms="NET30",
        price_group=group,
        blocked=blocked,
        tax_registrations=registrations,
        credit=profile or credit(currency=currency),
        credit_tolerance_percent=tolerance,
        ref=ExternalRef(SourceSystem.CLOUD_ERP, "42"),
    )


def query(quantity: Quantity | None = None, *, account: str = "acc_1", sku: str = "PMP-0042") -> PriceQuery:
    return PriceQuery(account_id=account, sku=sku, quantity=quantity or qty(1), on=TODAY)


def address(postal_code: str = "77001", region: str | None = "TX", country: str = "US") -> Address:
    return Address("1 Example Road", "Town", postal_code, country, region=region)


def ship_to(
    *,
    postal_code: str = "77001",
    region: str | None = "TX",
    country: str = "US",
    days: tuple[str, ...] = (),
    jurisdiction: str | None = None,
) -> ShipTo:
    return ShipTo("shp_1", "acc_1", "MAIN", address(postal_code, region, country), jurisdiction, days, active=True)


def warehouse(
    code: str = "W01",
    *,
    postal_code: str = "77002",
    region: str | None = "TX",
    status: str = "OPEN",
    cutoff: str = "16:00",
) -> Warehouse:
    place = address(postal_code, region)
    return Warehouse(f"wh_{code}", code, code, place, "America/New_York", cutoff, status, refs=())


def stock(
    on_hand: str | Decimal,
    code: str = "W01",
    *,
    sku: str = "PMP-0042",
    allocated: str | Decimal = "0",
    blocked: str | Decimal = "0",
    safety: str | Decimal = "0",
) -> StockPosition:
    return StockPosition(
        sku=sku,
        warehouse_code=code,
        on_hand=Decimal(on_hand),
        allocated=Decimal(allocated),
        blocked=Decimal(blocked),
        safety_stock=Decimal(safety),
        uom="EA",
        sequence=1,
        as_of=NOW,
    )


def inbound(
    quantity: str | Decimal,
    eta: date,
    code: str = "W01",
    *,
    sku: str = "PMP-0042",
    confirmed: bool = True,
    dock_days: int = 1,
    kind: SupplyKind = SupplyKind.INBOUND_PO,
    reference: str = "PO-1",
) -> InboundSupply:
    return InboundSupply(
        sku=sku,
        warehouse_code=code,
        kind=kind,
        reference=reference,
        quantity=Decimal(quantity),
        eta=eta,
        confirmed=confirmed,
        dock_days=dock_days,
    )
