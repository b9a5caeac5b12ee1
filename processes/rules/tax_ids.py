"""Whether a tax id can be one, and whether an exemption is of use (rule 6.4, process P1, step 2).

Formats and check digits are known for the kinds below. Nobody is asked whether the id is registered: this deployment
has no registry to ask, so ``verified_at`` stays empty and no reverse charge follows from an id that was only checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from processes.rules.duplicates import plain_number
from processes.rules.tax import UNION
from schema.records.accounts import TaxRegistration
from schema.records.problems import TaxInvalid
from schema.records.values import Address

__all__ = ["check_registrations", "jurisdiction_of"]

_JURISDICTION = re.compile(r"[A-Z]{2}(-[0-9A-Z]{1,3})?")
_VAT = re.compile(r"[A-Z]{2}[0-9A-Z+*]{2,12}")


def check_registrations(
    registrations: Sequence[TaxRegistration], ship_tos: Sequence[Address], on: date
) -> list[TaxInvalid]:
    """Return what is wrong with the tax ids and exemptions of somebody who gets goods at these places.

    Args:
        registrations: as they were submitted; at least one is needed.
        ship_tos: where goods go; an exemption must be for one of their jurisdictions.
        on: the day on which exemptions must not have ended.
    """
    places = {jurisdiction_of(place) for place in ship_tos}
    if not registrations:
        home = min(places, default="")
        return [_invalid("a tax registration is missing: give one of the place of delivery", home, None)]
    problems = []
    for index, entry in enumerate(registrations):
        why = _why_not(entry, places, on)
        if why is not None:
            problems.append(_invalid(why, entry.jurisdiction, entry.number, str(index)))
    return problems


def jurisdiction_of(place: Address) -> str:
    """Return the tax jurisdiction of a place: ``US-TX`` where states have taxes of their own, else the country."""
    return f"US-{place.region}" if place.country == "US" and place.region else place.country


def _why_not(entry: TaxRegistration, places: set[str], on: date) -> str | None:
    if not _JURISDICTION.fullmatch(entry.jurisdiction):
        return f"jurisdiction {entry.jurisdiction!r} is none: use a country such as DE, or a state such as US-TX"
    kind = _KINDS.get(entry.kind)
    if kind is None:
        return f"kind {entry.kind!r} is not known: use one of {', '.join(sorted(_KINDS))}"
    country = entry.jurisdiction[:2]
    if kind.countries and country not in kind.countries:
        return f"{entry.kind} is not a registration of {entry.jurisdiction}"
    if not kind.fits(plain_number(entry.number), country):
        return f"{entry.number!r} cannot be a number of {entry.kind}: {kind.looks_like}"
    if not entry.exempt:
        return None
    if entry.certificate_expires is None:
        return f"exemption {entry.number} has no end: say until when its certificate holds"
    if entry.certificate_expires < on:
        return f"exemption {entry.number} ended on {entry.certificate_expires.isoformat()}"
    if not any(place == entry.jurisdiction or place.startswith(f"{entry.jurisdiction}-") for place in places):
        return f"exemption {entry.number} is for {entry.jurisdiction}, where nothing is delivered"
    return None


def _invalid(message: str, jurisdiction: str, number: str | None, index: str | None = None) -> TaxInvalid:
    path = ("taxRegistrations",) if index is None else ("taxRegistrations", index)
    return TaxInvalid(code="TAX_INVALID", message=message, path=path, jurisdiction=jurisdiction, number=number)


def _is_vat(number: str, country: str) -> bool:
    prefix = {"GR": "EL"}.get(country, country)
    if not (_VAT.fullmatch(number) and number.startswith(prefix)):
        return False
    check = _VAT_CHECKS.get(country)
    return check is None or check(number[2:])


def _is_german(digits: str) -> bool:
    """Check nine digits whose last is that of ISO 7064, MOD 11,10."""
    if not re.fullmatch(r"[1-9]\d{8}", digits):
        return False
    product = 10
    for digit in digits[:8]:
        total = (int(digit) + product) % 10 or 10
        product = 2 * total % 11
    return (11 - product) % 10 == int(digits[8])


def _is_dutch(text: str) -> bool:
    """Check nine digits, B and two digits; as a whole number of MOD 97,10, or with the older check of MOD 11."""
    if not re.fullmatch(r"\d{9}B\d{2}", text):
        return False
    digits = [int(digit) for digit in text[:9]]
    remainder = sum(digit * weight for digit, weight in zip(digits, range(9, 1, -1), strict=False)) % 11
    as_number = int("".join(str(int(letter, 36)) for letter in f"NL{text}"))
    return remainder == digits[8] or as_number % 97 == 1


def _is_canadian(number: str, country: str) -> bool:
    """Check a business number with its GST account: nine digits of Luhn, RT and four digits; CA may go before."""
    found = re.fullmatch(r"(?:CA)?(\d{9})RT\d{4}", number)
    if found is None or country != "CA":
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(found[1])]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def _is_mexican(number: str, country: str) -> bool:
    """Check the letters of a name, a day, and three marks."""
    found = re.fullmatch(r"(?:MX)?[A-Z]{3,4}(\d{2})(\d{2})(\d{2})[0-9A-Z]{2}[0-9A]", number)
    if found is None or country != "MX":
        return False
    year, month, day = (int(part) for part in found.groups())
    try:
        date(2000 + year, month, day)
    except ValueError:
        return False
    return True


def _is_ein(number: str, country: str) -> bool:
    return country == "US" and re.fullmatch(r"\d{9}", number) is not None and not number.startswith("00")


def _is_certificate(number: str, country: str) -> bool:
    return bool(country) and re.fullmatch(r"[0-9A-Z]{4,30}", number) is not None


class _Kind(NamedTuple):
    """How numbers of one kind are checked; without ``countries`` it is used everywhere."""

    fits: Callable[[str, str], bool]
    looks_like: str
    countries: frozenset[str] = frozenset()


_VAT_CHECKS: Mapping[str, Callable[[str], bool]] = {"DE": _is_german, "NL": _is_dutch}
_KINDS: Mapping[str, _Kind] = {
    "EIN": _Kind(_is_ein, "it has nine digits", frozenset({"US"})),
    "GST": _Kind(_is_canadian, "it has nine digits, RT and four digits", frozenset({"CA"})),
    "RESALE_CERTIFICATE": _Kind(_is_certificate, "it has 4 to 30 letters and digits"),
    "RFC": _Kind(_is_mexican, "it has three or four letters, a day as six digits and three marks", frozenset({"MX"})),
    "VAT": _Kind(_is_vat, "it begins with its country and has that country's digits", UNION),
}
