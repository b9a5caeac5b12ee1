"""Numbers with GS1 check digits, under the prefix 952 that GS1 keeps for examples."""

from __future__ import annotations

__all__ = ["check_digit", "gln", "gtin13", "gtin14", "sscc"]

PREFIX = "952"
_COMPANY = f"{PREFIX}1234"


def check_digit(digits: str) -> str:
    """Return the GS1 check digit (weights 3 and 1 from the right) of digits without one."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def gtin13(item: int) -> str:
    """Return the GTIN-13 of an item's base unit; ``item`` below 100,000."""
    return _checked(f"{_COMPANY}{item:05d}")


def gtin14(indicator: int, item: int) -> str:
    """Return the GTIN-14 of a package of an item; ``indicator`` 1 to 8 tells packages apart."""
    return _checked(f"{indicator}{_COMPANY}{item:05d}")


def gln(location: int) -> str:
    """Return the GLN-13 of a place; ``location`` below 10,000."""
    return _checked(f"{_COMPANY}9{location:04d}")


def sscc(serial: int) -> str:
    """Return the SSCC-18 of a logistic unit."""
    return _checked(f"0{_COMPANY}{serial:09d}")


def _checked(digits: str) -> str:
    return digits + check_digit(digits)
