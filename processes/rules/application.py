"""Whether a request to become a customer can be worked on at all: everything that is wrong with it, at once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from schema.records.onboarding import Applicant
from schema.records.problems import ValidationFailed
from schema.records.values import Address

__all__ = ["MAX_REGISTRATIONS", "MAX_SHIP_TOS", "check_address", "check_application"]

MAX_SHIP_TOS = 50
"""Places of delivery that a request may carry; more are added to the account."""

MAX_REGISTRATIONS = 30
"""Tax registrations that a request may carry."""

MAX_NAME = 200
MAX_LINE = 160
MAX_LINE_2 = 40
MAX_CITY = 40
MAX_REGION = 3
MAX_POSTAL_CODE = 20
MAX_EMAIL = 80
MAX_PERSON = 80
MAX_GROUP = 20
MAX_TAX_NUMBER = 40
"""Characters that the systems keep."""

_EMAIL = re.compile(r"[^@\s]{1,64}@[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)+")
_COUNTRY = re.compile(r"[A-Z]{2}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def check_application(applicant: Applicant) -> list[ValidationFailed]:
    """Return everything that is wrong with the form of a request."""
    problems = [
        *_text(applicant.legal_name, MAX_NAME, "LEGAL_NAME", "legalName"),
        *_text(applicant.contact_name, MAX_PERSON, "CONTACT_NAME", "contactName"),
        *check_address(applicant.billing, "billing"),
    ]
    for name, value, most in (
        ("tradeName", applicant.trade_name, MAX_NAME),
        ("priceGroup", applicant.price_group, MAX_GROUP),
    ):
        if value is not None:
            problems += _text(value, most, re.sub(r"(?=[A-Z])", "_", name).upper(), name)
    if not _EMAIL.fullmatch(applicant.contact_email) or len(applicant.contact_email) > MAX_EMAIL:
        said = f"{applicant.contact_email[:MAX_EMAIL]!r} is no e-mail address such as bo@quayside.example"
        problems.append(_failed("CONTACT_EMAIL", said, "contactEmail"))
    if not _CURRENCY.fullmatch(applicant.currency):
        said = f"currency {applicant.currency!r} is none: use an ISO 4217 code such as USD"
        problems.append(_failed("CURRENCY", said, "currency"))
    if not 0 < len(applicant.ship_tos) <= MAX_SHIP_TOS:
        said = f"there are {len(applicant.ship_tos)} places of delivery: name 1 to {MAX_SHIP_TOS}"
        problems.append(_failed("SHIP_TO_COUNT", said, "shipTo"))
    for index, place in enumerate(applicant.ship_tos[:MAX_SHIP_TOS]):
        problems += check_address(place, "shipTo", str(index))
    problems += _registrations(applicant)
    problems += _credit(applicant)
    return problems


def _registrations(applicant: Applicant) -> Iterator[ValidationFailed]:
    given = applicant.tax_registrations
    if len(given) > MAX_REGISTRATIONS:
        said = f"there are {len(given)} tax registrations: give at most {MAX_REGISTRATIONS}"
        yield _failed("TAX_REGISTRATION_COUNT", said, "taxRegistrations")
    for index, entry in enumerate(given[:MAX_REGISTRATIONS]):
        yield from _text(entry.number, MAX_TAX_NUMBER, "TAX_NUMBER", "taxRegistrations", str(index), "number")


def _credit(applicant: Applicant) -> Iterator[ValidationFailed]:
    requested = applicant.requested_credit
    if requested is None:
        return
    if not requested.amount.is_finite() or requested.amount < 0:
        yield _failed(
            "REQUESTED_CREDIT", "credit is asked for with an amount from zero on", "requestedCredit", "amount"
        )
    if requested.currency != applicant.currency:
        said = f"credit is given in {applicant.currency}, which the customer buys in, not in {requested.currency}"
        yield _failed("CREDIT_CURRENCY", said, "requestedCredit", "currency")


def check_address(place: Address, *path: str) -> Iterator[ValidationFailed]:
    """Yield everything that is wrong with an address; ``path`` is where it stands in the input."""
    yield from _text(place.line1, MAX_LINE, "ADDRESS", *path, "line1")
    yield from _text(place.city, MAX_CITY, "ADDRESS", *path, "city")
    yield from _text(place.postal_code, MAX_POSTAL_CODE, "ADDRESS", *path, "postalCode")
    if place.line2 is not None and len(place.line2) > MAX_LINE_2:
        yield _failed("ADDRESS", f"line2 has at most {MAX_LINE_2} characters", *path, "line2")
    if not _COUNTRY.fullmatch(place.country):
        said = f"country {place.country!r} is none: use an ISO 3166-1 code such as US"
        yield _failed("COUNTRY", said, *path, "country")
    if place.region is None and place.country == "US":
        yield _failed("REGION", "a place in the US has a state such as TX", *path, "region")
    if place.region is not None and not 0 < len(place.region) <= MAX_REGION:
        said = f"region {place.region!r} is none: use the part of ISO 3166-2 after the dash, such as TX"
        yield _failed("REGION", said, *path, "region")
    if place.gln is not None and not _is_gln(place.gln):
        yield _failed("GLN", f"{place.gln!r} is no GLN: thirteen digits, the last of which checks", *path, "gln")


def _is_gln(text: str) -> bool:
    if not (len(text) == 13 and text.isascii() and text.isdigit()):
        return False
    return sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(text)) % 10 == 0


def _text(value: str, most: int, rule: str, *path: str) -> Iterator[ValidationFailed]:
    if not (value.strip() and len(value) <= most and value.isprintable()):
        yield _failed(rule, f"{path[-1]} has 1 to {most} printable characters", *path)


def _failed(rule: str, message: str, *path: str) -> ValidationFailed:
    return ValidationFailed(code="VALIDATION_FAILED", message=message, path=path, rule=rule, field=path[-1])
