"""The vendor's own record ids: fifteen characters whose case matters, or eighteen with a checksum of the case."""

from __future__ import annotations

import re

__all__ = ["full_id"]

_CASES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Z]{3})?")


def full_id(text: str) -> str | None:
    """Return the eighteen characters of an id, None when the text is no id or its checksum is wrong."""
    if not _ID.fullmatch(text):
        return None
    short = text[:15]
    checksum = "".join(
        _CASES[sum(1 << place for place, letter in enumerate(short[start : start + 5]) if letter.isupper())]
        for start in (0, 5, 10)
    )
    return short + checksum if text in (short, short + checksum) else None
