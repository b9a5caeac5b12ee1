"""Minor units of ISO 4217 currencies and the rounding of money: half up, to the currency's own digits."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from schema.records.values import Money

__all__ = ["minor_digits", "round_to_minor", "trim_to_minor"]

_DEFAULT_DIGITS = 2
_NO_DIGITS = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
              "XOF", "XPF")  # fmt: skip
_THREE_DIGITS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_FOUR_DIGITS = ("CLF", "UYW")
_DIGITS = {
    **dict.fromkeys(_NO_DIGITS, 0),
    **dict.fromkeys(_THREE_DIGITS, 3),
    **dict.fromkeys(_FOUR_DIGITS, 4),
}


def minor_digits(currency: str) -> int:
    """Return how many decimals amounts of the currency have when they are charged."""
    return _DIGITS.get(currency, _DEFAULT_DIGITS)


def round_to_minor(amount: Decimal, currency: str) -> Money:
    """Return the amount rounded half up to the currency's minor unit."""
    return Money(amount.quantize(_minor_unit(currency), ROUND_HALF_UP), currency)


def trim_to_minor(money: Money) -> Money:
    """Return the same amount without trailing zeros beyond the currency's minor unit: 36.1000 is 36.10 dollars."""
    shortest = money.amount.quantize(_minor_unit(money.currency), ROUND_HALF_UP)
    return Money(shortest if shortest == money.amount else money.amount.normalize(), money.currency)


@lru_cache(maxsize=200)  # there are fewer currencies
def _minor_unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-minor_digits(currency))
