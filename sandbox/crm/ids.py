"""Record ids: three characters for the object, twelve in base 62, and three that keep the case of the others."""

from __future__ import annotations

import re

__all__ = ["full_id", "make_id"]

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CASES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def make_id(prefix: str, number: int) -> str:
    """Return the id of the ``number``-th record of the object with this key prefix."""
    digits = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    short = prefix + digits.rjust(12, "0")
    return short + _suffix(short)


def full_id(text: str) -> str | None:
    """Return the 18 characters of an id of 15 or 18, None when it is no id."""
    if not _ID.fullmatch(text):
        return None
    return text[:15] + _suffix(text[:15])


def _suffix(short: str) -> str:
    """Return one character per five of the short id; its bits say which of them are capital letters."""
    return "".join(
        _CASES[sum(1 << place for place, letter in enumerate(short[start : start + 5]) if letter.isupper())]
        for start in (0, 5, 10)
    )
