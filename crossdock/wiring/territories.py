"""Sales territories of the settings, as the rules that onboarding goes by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from crossdock.settings import TerritorySettings
from processes.rules.territory import Assignment, TerritoryRule

__all__ = ["territory_rules"]


def territory_rules(territories: Iterable[TerritorySettings]) -> Sequence[TerritoryRule]:
    """Return one rule per country and region, postal prefix or name of each territory."""
    return tuple(rule for entry in territories for country in entry.countries for rule in _rules(entry, country))


def _rules(entry: TerritorySettings, country: str) -> Iterator[TerritoryRule]:
    mine = Assignment(entry.territory, entry.owner)
    for name in entry.accounts:
        yield TerritoryRule(mine, country, account_name=name)
    for prefix in entry.postal_prefixes:
        yield TerritoryRule(mine, country, postal_prefix=prefix)
    for region in entry.regions:
        yield TerritoryRule(mine, country, region)
    if not (entry.accounts or entry.postal_prefixes or entry.regions):
        yield TerritoryRule(mine, country)
