"""Small changes to the SDL of subgraphs, of which most make them not fit any more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

__all__ = ["changed"]

_CHANGES = (
    (r" @shareable", ""),
    (r" @external", ""),
    (r" @override\(.*?\)", ""),
    (r' @requires\(fields: "[^"]*"\)', ""),
    (r' @provides\(fields: "[^"]*"\)', ""),
    (r' @key\(fields: "[^"]*"\)', ""),
    (r'(@key\(fields: "id")\)', r"\1, resolvable: false)"),
    (r" implements I", ""),
    (r" @interfaceObject", ""),
    (r"\bid: ID!", "id: ID! @inaccessible"),
    (r": ID!", ": String!"),
    (r": Int\b", ": String"),
    (r"!\]", "]"),
    (r"\[(\w+)!?\]!?", r"\1"),
    (r"\(x: Int\)", "(x: Int!)"),
    (r"\(x: Int\)", ""),
    (r"(\w+f\d): ", r"\1x: "),
    (r"(: Int|: Boolean) (?!@)", r"\1 @shareable "),
    (r"(: Int|: Boolean) ", r"\1 @external "),
    (r"(: Int|: Boolean) ", r"\1 @inaccessible "),
    (r"level \}", "nope }"),
    (r"union U = \w+ \|", "union U ="),
)
MAX_TRIES = 50
"""Attempts to find a change that applies; every graph has something that can be changed."""


def changed(subgraphs: Mapping[str, str], random: Random) -> dict[str, str]:
    """Return the subgraphs with one change in one of them."""
    found = dict(subgraphs)
    for _ in range(MAX_TRIES):
        name = random.choice(sorted(found))
        pattern, replacement = random.choice(_CHANGES)
        places = list(re.finditer(pattern, found[name]))
        if places:
            place = random.choice(places)
            text = found[name]
            found[name] = text[: place.start()] + place.expand(replacement) + text[place.end() :]
            break
    return found
