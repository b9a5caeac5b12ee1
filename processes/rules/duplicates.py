"""How much an applicant looks like an account that there is (process P1, step 1).

What both have in common is evidence of different weight; evidence adds up like independent chances, so more of it never
lowers the score and no amount of it reaches certainty. At 0.92 the applicant counts as the account, from 0.75 on a
person looks. Names are compared without accents, marks and legal forms; a postal code alone says nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from schema.records.problems import DuplicateCandidate

__all__ = [
    "DOUBTFUL",
    "DUPLICATE",
    "MAX_CANDIDATES",
    "Identity",
    "email_domain",
    "find_candidates",
    "likeness",
    "plain_name",
    "plain_number",
    "plain_postal_code",
]

DUPLICATE = Decimal("0.92")
"""From this score on the applicant is the account."""

DOUBTFUL = Decimal("0.75")
"""From this score on a person looks."""

MAX_CANDIDATES = 10
"""Candidates that are named; who has more has a common name."""

_WEIGHTS: Mapping[str, Decimal] = {
    "TAX_ID": Decimal("0.95"),
    "GLN": Decimal("0.92"),
    "NAME_AND_POSTAL_CODE": Decimal("0.85"),
    "NAME": Decimal("0.60"),
    "EMAIL_DOMAIN": Decimal("0.20"),
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LEGAL_FORMS = _words(
    "ag bv co company corp corporation cv de gmbh inc incorporated kg limited llc llp ltd nv plc sa sarl sas se srl "
    "the und and y"
)
_SHARED_DOMAINS = _words(
    "aol.com example.com example.net example.org gmail.com gmx.de gmx.net googlemail.com hotmail.com icloud.com "
    "live.com mail.com me.com msn.com outlook.com proton.me protonmail.com web.de yahoo.com"
)
"""Domains that say nothing of who writes."""

_STEP = Decimal("0.01")
_NOT_A_WORD = re.compile(r"[^0-9a-z]+")
_NOT_IN_NUMBERS = re.compile(r"[^0-9A-Z]")


@dataclass(frozen=True, slots=True)
class Identity:
    """What somebody is known by, in plain form."""

    names: frozenset[str] = frozenset()
    postal_code: str | None = None
    tax_numbers: frozenset[str] = frozenset()
    glns: frozenset[str] = frozenset()
    email_domains: frozenset[str] = frozenset()


def likeness(one: Identity, other: Identity) -> tuple[Decimal, tuple[str, ...]]:
    """Return (score from 0 to below 1 with two decimals, what both have in common)."""
    matched = []
    if one.tax_numbers & other.tax_numbers:
        matched.append("TAX_ID")
    if one.glns & other.glns:
        matched.append("GLN")
    if one.names & other.names:
        same_place = one.postal_code is not None and one.postal_code == other.postal_code
        matched.append("NAME_AND_POSTAL_CODE" if same_place else "NAME")
    if one.email_domains & other.email_domains:
        matched.append("EMAIL_DOMAIN")
    different = Decimal(1)
    for name in matched:
        different *= 1 - _WEIGHTS[name]
    score = (1 - different).quantize(_STEP)
    return min(score, 1 - _STEP), tuple(matched)


def find_candidates(applicant: Identity, known: Mapping[str, Identity]) -> tuple[DuplicateCandidate, ...]:
    """Return the accounts that are, or may be, the applicant: the most alike first, at most ``MAX_CANDIDATES``."""
    found = []
    for account_id, identity in known.items():
        score, matched = likeness(applicant, identity)
        if score >= DOUBTFUL:
            found.append(DuplicateCandidate(account_id, score, matched))
    found.sort(key=lambda entry: (-entry.score, entry.account_id))
    return tuple(found[:MAX_CANDIDATES])


def plain_name(name: str) -> str:
    """Return a name in small letters without accents, marks and legal forms; one of nothing else stays as it is."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    # "B.V." and "S.A." are one word each, "Pumps & Valves" are two.
    words = _NOT_A_WORD.sub(" ", letters.replace(".", "")).split()
    return " ".join([word for word in words if word not in _LEGAL_FORMS] or words)


def plain_number(number: str) -> str:
    """Return a tax number or GLN in capitals without marks."""
    return _NOT_IN_NUMBERS.sub("", number.upper())


def plain_postal_code(code: str) -> str:
    """Return a postal code in capitals without marks; of a US code with its extension the first five digits."""
    plain = plain_number(code)
    return plain[:5] if len(plain) == 9 and plain.isdigit() else plain


def email_domain(address: str) -> str | None:
    """Return the domain of an address, None for one that many share."""
    domain = address.rpartition("@")[2].strip().casefold()
    return None if not domain or domain in _SHARED_DOMAINS else domain
