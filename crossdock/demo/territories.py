"""Sales territories of the demo's distributor, as its CRM has them."""

from __future__ import annotations

from crossdock.settings import TerritorySettings
from processes.rules.tax import UNION

__all__ = ["DEMO_TERRITORIES"]

_WEST = "AK AZ CA CO HI ID MT NM NV OR UT WA WY"
_EAST = "CT DC DE FL GA MA MD ME NC NH NJ NY OH PA RI SC VA VT WV"

DEMO_TERRITORIES = (
    TerritorySettings(territory="ter_US-W", owner="usr_1", countries=("US",), regions=tuple(_WEST.split())),
    TerritorySettings(territory="ter_US-E", owner="usr_2", countries=("US",), regions=tuple(_EAST.split())),
    TerritorySettings(territory="ter_US-C", owner="usr_3", countries=("US",)),
    TerritorySettings(territory="ter_CA", owner="usr_1", countries=("CA",)),
    TerritorySettings(territory="ter_MX", owner="usr_3", countries=("MX",)),
    TerritorySettings(territory="ter_EU", owner="usr_2", countries=tuple(sorted(UNION))),
)
