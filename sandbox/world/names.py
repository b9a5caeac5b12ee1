"""Words that made-up names are put together from; they name nobody."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "BRANDS",
    "CITIES",
    "COMPANY_ENDS",
    "COMPANY_STARTS",
    "FAMILIES",
    "FIRST_NAMES",
    "LAST_NAMES",
    "STREETS",
    "Family",
]

COMPANY_STARTS = (
    "Amberfield", "Birchgate", "Cinderhall", "Dunmarrow", "Elmsworth", "Fallowmere", "Greyharbor", "Hollowbrook",
    "Ironvale", "Juniper Reach", "Kestrelford", "Larkspur", "Mossbridge", "Northquay", "Oakhaven", "Pinecrest",
    "Quarrystone", "Ravenshore", "Silverdale", "Thornbury", "Umberlea", "Valewood", "Westermoor", "Yarrowby",
    "Zephyr Point", "Ashlock", "Brackenridge", "Copperline", "Driftmark", "Eastgate Mills",
)  # fmt: skip
COMPANY_ENDS = (
    "Process",
    "Water Works",
    "Foods",
    "Fabrication",
    "Chemicals",
    "Marine",
    "Paper",
    "Mining",
    "Facilities",
)
FIRST_NAMES = (
    "Ada", "Ben", "Carla", "Dmitri", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Keiko", "Liam", "Marta",
    "Nadia", "Omar", "Petra", "Quentin", "Rosa", "Sven", "Tara", "Umar", "Vera", "Wendel", "Xenia", "Yusuf", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Abbott", "Brandt", "Castillo", "Dahl", "Eriksen", "Fontaine", "Gruber", "Hale", "Ibarra", "Jansen", "Kowalski",
    "Lindqvist", "Moreau", "Novak", "Okafor", "Pereira", "Quintero", "Rossi", "Stein", "Tanaka", "Ueda", "Varga",
    "Walsh", "Yilmaz", "Zeller",
)  # fmt: skip
STREETS = ("Mill Road", "Harbor Street", "Foundry Lane", "Depot Avenue", "Canal Street", "Quarry Road", "Station Way")
BRANDS = ("Torvane", "Hydrel", "Kestor", "Maxiflo", "Brennic", "Ostara")

CITIES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "US": (
        ("Chicago", "IL", "60601"), ("Reno", "NV", "89501"), ("Atlanta", "GA", "30303"), ("Dallas", "TX", "75201"),
        ("Columbus", "OH", "43215"), ("Denver", "CO", "80202"), ("Portland", "OR", "97204"), ("Tampa", "FL", "33602"),
    ),
    "CA": (("Toronto", "ON", "M5H 2N2"), ("Calgary", "AB", "T2P 1J9"), ("Montreal", "QC", "H2Y 1C6")),
    "DE": (("Hamburg", "HH", "20095"), ("Mannheim", "BW", "68159")),
    "NL": (("Rotterdam", "ZH", "3011 AA"),),
    "MX": (("Monterrey", "NLE", "64000"), ("Guadalajara", "JAL", "44100")),
}  # fmt: skip
"""City, ISO 3166-2 region without country, postal code."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family of items: sku prefix, names, what a base unit costs and weighs, packages (unit, base units)."""

    prefix: str
    category: str
    group: str
    kinds: tuple[str, ...]
    sizes: tuple[str, ...]
    cost: tuple[float, float]
    weight: tuple[float, float]
    packages: tuple[tuple[str, int], ...]
    tax_category: str = "GOODS"


FAMILIES = (
    Family("PMP", "Pumps", "FLOW", ("Transfer pump", "Dosing pump", "Drum pump"), ("20", "32", "50", "80"),
           (18, 420), (2, 40), (("XBX", 4),)),
    Family("VLV", "Valves", "FLOW", ("Ball valve", "Gate valve", "Check valve"), ("DN15", "DN25", "DN50"),
           (6, 120), (0.2, 6), (("XBX", 10), ("XCT", 50))),
    Family("HSE", "Hoses", "FLOW", ("Suction hose", "Chemical hose", "Air hose"), ("19 mm", "25 mm", "38 mm"),
           (3, 30), (0.3, 2), (("XCT", 25),)),
    Family("FIT", "Fittings", "FLOW", ("Elbow", "Tee", "Union", "Reducer", "Nipple"), ("1/2 in", "3/4 in", "1 in"),
           (0.6, 14), (0.05, 0.8), (("XBX", 20), ("XCT", 100))),
    Family("SEL", "Seals", "PARTS", ("Shaft seal", "O-ring set", "Gasket"), ("25", "40", "65"),
           (0.9, 38), (0.01, 0.3), (("XBX", 25),)),
    Family("FLT", "Filters", "PARTS", ("Bag filter", "Cartridge filter", "Strainer"), ("5 um", "25 um", "100 um"),
           (4, 75), (0.2, 3), (("XBX", 12),)),
    Family("MTR", "Motors", "DRIVE", ("Gear motor", "Three-phase motor", "Servo motor"), ("0.75 kW", "1.5 kW", "4 kW"),
           (95, 900), (8, 60), (("XPX", 6),)),
    Family("LUB", "Lubricants", "CHEM", ("Gear oil", "Bearing grease", "Cleaner"), ("1 l", "5 l"),
           (5, 60), (1, 5), (("XBX", 6),), "CHEMICALS"),
)  # fmt: skip
