# No postponed annotations: strawberry reads them.
"""Key figures."""

import decimal

import strawberry

__all__ = ["KpiPoint"]


@strawberry.type(description="A key figure of one bucket; a median says as denominator of how many times it is one.")
class KpiPoint:
    """A key figure of one bucket."""

    bucket: str
    value: decimal.Decimal
    unit: str
    numerator: decimal.Decimal | None
    denominator: decimal.Decimal | None
