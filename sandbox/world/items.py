"""What is sold: categories, items with units, substitutes and restrictions."""

from __future__ import annotations

from decimal import Decimal

from sandbox.world.chance import Chance
from sandbox.world.identifiers import gtin13, gtin14
from sandbox.world.model import WorldCategory, WorldItem, WorldItemUom
from sandbox.world.names import BRANDS, FAMILIES, Family

__all__ = ["make_categories", "make_items"]

PER_FAMILY = 50
LOT_CONTROLLED_PERCENT = 5
MARGIN_FLOOR = Decimal(18)

_GROUPS = (("FLOW", "Fluid handling"), ("PARTS", "Wear parts"), ("DRIVE", "Drives"), ("CHEM", "Chemistry"))


def make_categories() -> tuple[WorldCategory, ...]:
    """Return the groups and the families below them."""
    groups = tuple(WorldCategory(f"cat_{code}", code, name, None) for code, name in _GROUPS)
    families = tuple(
        WorldCategory(f"cat_{family.prefix}", family.prefix, family.category, f"cat_{family.group}")
        for family in FAMILIES
    )
    return groups + families


def make_items(seed: int) -> tuple[WorldItem, ...]:
    """Return 400 items: fifty of each family, ``PMP-0001`` to ``LUB-0050``."""
    chance = Chance.of(seed, "items")
    return tuple(
        _item(chance, family, number, place * PER_FAMILY + number)
        for place, family in enumerate(FAMILIES)
        for number in range(1, PER_FAMILY + 1)
    )


def _item(chance: Chance, family: Family, number: int, serial: int) -> WorldItem:
    sku = f"{family.prefix}-{number:04d}"
    kind, size, brand = chance.one(family.kinds), chance.one(family.sizes), chance.one(BRANDS)
    name = f"{kind} {size}"
    cost = chance.price(*family.cost)
    is_hazmat = family.prefix == "LUB" and chance.happens(24)
    has_substitute = chance.happens(30) and number < PER_FAMILY
    status = chance.weighted((("ACTIVE", 95.0), ("PHASE_OUT", 3.0), ("BLOCKED", 1.0), ("DISCONTINUED", 1.0)))
    return WorldItem(
        sku=sku,
        name=name,
        description=f"{brand} {kind.lower()}, size {size}",
        brand=brand,
        category_id=f"cat_{family.prefix}",
        status=status,
        base_uom="EA",
        uoms=_uoms(chance, family, serial),
        gtin=gtin13(serial),
        net_weight_kg=chance.price(*family.weight),
        hazmat_class="3" if is_hazmat else None,
        lot_controlled=family.prefix == "LUB" and chance.happens(40),
        tax_category=family.tax_category,
        substitute_skus=(f"{family.prefix}-{number + 1:04d}",) if has_substitute else (),
        restricted_regions=("US-OR",) if is_hazmat and chance.happens(50) else (),
        unit_cost=cost,
        floor_margin_percent=MARGIN_FLOOR,
        min_quantity=Decimal(1),
        multiple=Decimal(1),
    )


def _uoms(chance: Chance, family: Family, serial: int) -> tuple[WorldItemUom, ...]:
    units = [WorldItemUom("EA", Decimal(1), gtin13(serial), True)]
    for indicator, (uom, per_base) in enumerate(family.packages, 1):
        if chance.happens(92):
            units.append(WorldItemUom(uom, Decimal(per_base), gtin14(indicator, serial), chance.happens(95)))
    return tuple(units)
