"""Who buys and who sells: users, territories, accounts with hierarchy, ship-to places, contacts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.world.chance import Chance
from sandbox.world.homes import home_of
from sandbox.world.identifiers import gln
from sandbox.world.model import (
    WorldAccount,
    WorldAddress,
    WorldContact,
    WorldShipTo,
    WorldTaxRegistration,
    WorldTerritory,
    WorldUser,
)
from sandbox.world.names import CITIES, COMPANY_ENDS, COMPANY_STARTS, FIRST_NAMES, LAST_NAMES, STREETS
from sandbox.world.planted import LATE_PAYER

__all__ = ["PRICE_GROUPS", "Parties", "make_parties"]

ACCOUNTS = 60
SHIP_TOS = 140
PARENTS = 12
FIRST_NUMBER = 10_041

PRICE_GROUPS: dict[str, str] = {
    "PG-01": "USD", "PG-02": "USD", "PG-03": "USD", "PG-04": "USD", "PG-05": "USD",
    "PG-06": "CAD", "PG-07": "EUR", "PG-08": "MXN",
}  # fmt: skip
"""Currency of each price group."""

_COUNTRIES = {"USD": ("US",), "CAD": ("CA",), "EUR": ("DE", "NL"), "MXN": ("MX",)}
_CURRENCIES = (("USD", 66.0), ("CAD", 15.0), ("EUR", 12.0), ("MXN", 7.0))
_TERRITORIES = (("US-C", "US Central"), ("US-W", "US West"), ("US-E", "US East"), ("CA", "Canada"), ("EU", "Europe"),
                ("MX", "Mexico"))  # fmt: skip
_ROLES = ("SALES", "SALES", "SALES", "SALES_MANAGER", "PRICING_DESK", "CREDIT_CONTROLLER", "SERVICE_DESK", "OPERATIONS")
_DAYS = ("MON", "TUE", "WED", "THU", "FRI")
_WEST = ("NV", "OR", "CO")
_EAST = ("GA", "OH", "FL")


@dataclass(frozen=True, slots=True)
class Parties:
    """Everybody of the world; receivables are filled in when invoices are known."""

    users: tuple[WorldUser, ...]
    territories: tuple[WorldTerritory, ...]
    accounts: tuple[WorldAccount, ...]
    ship_tos: tuple[WorldShipTo, ...]
    contacts: tuple[WorldContact, ...]


def make_parties(seed: int, now: datetime) -> Parties:
    """Return users, territories, accounts, places and contacts."""
    chance = Chance.of(seed, "parties")
    users = tuple(_user(number, role) for number, role in enumerate(_ROLES, 1))
    territories = tuple(WorldTerritory(f"ter_{code}", code, name) for code, name in _TERRITORIES)
    accounts = _accounts(chance, now)
    return Parties(users, territories, accounts, _ship_tos(chance, accounts), _contacts(chance, accounts))


def _user(number: int, role: str) -> WorldUser:
    first, last = FIRST_NAMES[number * 3 % len(FIRST_NAMES)], LAST_NAMES[number * 5 % len(LAST_NAMES)]
    return WorldUser(f"usr_{number}", f"{first} {last}", f"{first}.{last}@example.com".lower(), (role,))


def _accounts(chance: Chance, now: datetime) -> tuple[WorldAccount, ...]:
    """Return acc_1 to acc_59 and acc_parent.

    acc_parent heads acc_3, acc_4 and acc_5, and acc_4 heads acc_10 and acc_11: three levels. The other parents head
    one or two accounts each.
    """
    ids = [*(f"acc_{number}" for number in range(1, ACCOUNTS)), "acc_parent"]
    parent_of = {
        "acc_3": "acc_parent",
        "acc_4": "acc_parent",
        "acc_5": "acc_parent",
        "acc_10": "acc_4",
        "acc_11": "acc_4",
    }
    for offset in range(PARENTS - 2):
        parent_of[f"acc_{30 + offset}"] = f"acc_{15 + offset}"
    made: dict[str, WorldAccount] = {}
    for place, account_id in enumerate(reversed(ids)):
        parent = made.get(parent_of.get(account_id, ""))
        made[account_id] = _account(chance, now, account_id, ids.index(account_id), place, parent, parent_of)
    return tuple(made[account_id] for account_id in ids)


def _account(
    chance: Chance,
    now: datetime,
    account_id: str,
    index: int,
    place: int,
    parent: WorldAccount | None,
    parent_of: dict[str, str],
) -> WorldAccount:
    name = f"{COMPANY_STARTS[place % len(COMPANY_STARTS)]} {COMPANY_ENDS[place // 7 % len(COMPANY_ENDS)]}"
    is_plain = index < 2 or account_id == LATE_PAYER or account_id in parent_of or account_id in parent_of.values()
    currency = "USD" if is_plain else chance.weighted(_CURRENCIES)
    groups = [group for group, of in PRICE_GROUPS.items() if of == currency]
    address = _address(chance, currency, index)
    prepays = not is_plain and chance.happens(5)
    return WorldAccount(
        id=account_id,
        number=f"C-{FIRST_NUMBER + index + 1}",
        name=name,
        legal_name=f"{name} {_legal_form(address.country)}",
        status="ACTIVE" if is_plain or chance.happens(94) else chance.one(("ON_HOLD", "INACTIVE", "PENDING")),
        version=chance.whole(1, 9),
        parent_id=parent_of.get(account_id),
        bill_to_id=None if parent is None or chance.happens(50) else parent.id,
        territory_id=f"ter_{_territory(address)}",
        owner_id=f"usr_{chance.whole(1, 4)}",
        currency=currency,
        payment_terms=chance.one(("NET30", "NET30", "NET45")),
        price_group=chance.one(groups),
        blocked="",
        credit_limit=None if prepays else Decimal(chance.whole(8, 40)) * 10_000 * _scale(currency),
        open_receivables=Decimal("0.00"),
        overdue=Decimal("0.00"),
        max_days_past_due=0,
        credit_tolerance_percent=chance.one((0, 5, 10)),
        credit_on_hold=False,
        hold_reason=None,
        address=address,
        tax_registrations=_registrations(chance, address, now, index),
        changed_at=now - timedelta(days=chance.whole(1, 200), minutes=chance.whole(0, 1_000)),
        erp_home=home_of(account_id),
    )


def _scale(currency: str) -> int:
    return 18 if currency == "MXN" else 1


def _legal_form(country: str) -> str:
    return {"US": "Inc.", "CA": "Ltd.", "DE": "GmbH", "NL": "B.V.", "MX": "S.A. de C.V."}[country]


def _territory(address: WorldAddress) -> str:
    if address.country != "US":
        return {"CA": "CA", "MX": "MX"}.get(address.country, "EU")
    return "US-W" if address.region in _WEST else "US-E" if address.region in _EAST else "US-C"


def _address(chance: Chance, currency: str, location: int) -> WorldAddress:
    country = chance.one(_COUNTRIES[currency])
    city, region, postal_code = chance.one(CITIES[country])
    street = f"{chance.whole(1, 980)} {chance.one(STREETS)}"
    return WorldAddress(street, city, region, postal_code, country, gln(location))


def _registrations(
    chance: Chance, address: WorldAddress, now: datetime, index: int
) -> tuple[WorldTaxRegistration, ...]:
    verified = now - timedelta(days=chance.whole(5, 300))
    if address.country == "US":
        expires = (now + timedelta(days=chance.whole(20, 700))).date()
        resale = f"RS-{address.region}-{700_000 + index}"
        jurisdiction = f"US-{address.region}"
        return (WorldTaxRegistration("RESALE_CERTIFICATE", resale, jurisdiction, True, expires, verified),)
    kind = {"CA": "GST", "MX": "RFC"}.get(address.country, "VAT")
    number = f"{address.country}{900_000_000 + index * 7919}"
    return (WorldTaxRegistration(kind, number, address.country, False, None, verified),)


def _ship_tos(chance: Chance, accounts: tuple[WorldAccount, ...]) -> tuple[WorldShipTo, ...]:
    """Return shp_1 to shp_140: one place per account in their order, then more."""
    owners = [*accounts, *(chance.one(accounts) for _ in range(SHIP_TOS - len(accounts)))]
    count: dict[str, int] = {}
    made = []
    for number, account in enumerate(owners, 1):
        count[account.id] = count.get(account.id, 0) + 1
        first = count[account.id] == 1
        address = account.address if first else _address(chance, account.currency, 1_000 + number)
        country = address.country
        made.append(
            WorldShipTo(
                id=f"shp_{number}",
                account_id=account.id,
                code="MAIN" if first else f"SITE-{count[account.id]}",
                address=address,
                tax_jurisdiction=f"US-{address.region}" if country == "US" else country,
                delivery_days=_DAYS if first or chance.happens(70) else ("TUE", "THU"),
                active=first or chance.happens(95),
            )
        )
    return tuple(made)


def _contacts(chance: Chance, accounts: tuple[WorldAccount, ...]) -> tuple[WorldContact, ...]:
    made: list[WorldContact] = []
    for account in accounts:
        for role in ("BUYER", "ACCOUNTS_PAYABLE", "RECEIVING")[: chance.whole(1, 3)]:
            number = len(made) + 1
            first, last = chance.one(FIRST_NAMES), chance.one(LAST_NAMES)
            email = f"{first}.{last}.{number}@example.com".lower()
            phone = f"+1 312 555 01{number % 100:02d}"
            made.append(WorldContact(f"con_{number}", account.id, first, last, email, phone, role))
    return tuple(made)
