"""Which sales territory a customer belongs to (rule 6.4): named account, else postal code, else region, else country.

Inside a level the longest postal prefix wins. There must be exactly one territory with one owner: rules of one level
that disagree, or places of delivery in several territories, leave it to a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from processes.rules.duplicates import plain_name, plain_number
from schema.records.problems import TerritoryUnassigned
from schema.records.values import Address

__all__ = ["Assignment", "TerritoryRule", "assign_territory"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A territory and who looks after its new customers."""

    territory_id: str
    owner_id: str


@dataclass(frozen=True, slots=True)
class TerritoryRule:
    """Whose customers they are: a named one, or those of a country, of a region, or of a part of its postal codes."""

    assignment: Assignment
    country: str
    region: str | None = None
    postal_prefix: str | None = None
    account_name: str | None = None


def assign_territory(
    names: Iterable[str], ship_tos: Sequence[Address], rules: Sequence[TerritoryRule]
) -> Assignment | TerritoryUnassigned:
    """Return whose customer it is, or why a person must say.

    Args:
        names: legal and trade name.
        ship_tos: where goods go; at least one.
        rules: of this day.
    """
    plain = {plain_name(name) for name in names}
    found: list[Assignment] = []
    for index, place in enumerate(ship_tos):
        mine = _at(plain, place, rules)
        if len(mine) != 1:
            said = "no territory covers" if not mine else f"{len(mine)} territories claim"
            return _unassigned(f"{said} {place.postal_code} {place.country}", place, index)
        found += mine
    if len(set(found)) > 1:
        names_of = ", ".join(sorted({entry.territory_id for entry in found}))
        return _unassigned(f"the places of delivery lie in several territories: {names_of}", ship_tos[0], None)
    return found[0]


def _at(names: set[str], place: Address, rules: Sequence[TerritoryRule]) -> list[Assignment]:
    """Return the assignments of the highest level that says anything of a place, without repetition."""
    code = plain_number(place.postal_code)
    here = [rule for rule in rules if rule.country == place.country]
    prefixes = [len(rule.postal_prefix) for rule in here if rule.postal_prefix and code.startswith(rule.postal_prefix)]
    levels = (
        [rule for rule in here if rule.account_name is not None and plain_name(rule.account_name) in names],
        [
            rule
            for rule in here
            if rule.account_name is None
            and rule.postal_prefix is not None
            and code.startswith(rule.postal_prefix)
            and len(rule.postal_prefix) == max(prefixes)
        ],
        [rule for rule in here if _is_of_region(rule) and rule.region == place.region],
        [rule for rule in here if _is_of_region(rule) and rule.region is None],
    )
    first = next((level for level in levels if level), [])
    return list(dict.fromkeys(rule.assignment for rule in first))


def _is_of_region(rule: TerritoryRule) -> bool:
    return rule.account_name is None and rule.postal_prefix is None


def _unassigned(why: str, place: Address, index: int | None) -> TerritoryUnassigned:
    return TerritoryUnassigned(
        code="TERRITORY_UNASSIGNED",
        message=f"{why}: a person assigns the territory",
        path=("shipTo",) if index is None else ("shipTo", str(index)),
        country=place.country,
        postal_code=place.postal_code,
    )
