"""Take what looks like a secret out of texts that others wrote: what they raise may have what they were given in it."""

from __future__ import annotations

import re

__all__ = ["MAX_TEXT", "redact"]

MAX_TEXT = 16 * 1024
"""Characters of one text that are kept, from its end: there an error says what it is."""

_HIDDEN = "[redacted]"
_NAMES = r"\b(?:[\w-]*(?:password|passwd|secret|token|api[_-]?key|signature)|authorization|cookie)"
_PLACES = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{4,}"), rf"\1 {_HIDDEN}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), _HIDDEN),  # a JSON Web Token
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+@"), rf"\1{_HIDDEN}@"),
    (re.compile(rf"(?i)({_NAMES}['\"]?\s?[:=]\s?b?(['\"]))(?:(?!\2).)+"), rf"\1{_HIDDEN}"),
    (re.compile(rf"(?i)({_NAMES}=)[^\s'\"&,;()]+"), rf"\1{_HIDDEN}"),
)


def redact(text: str) -> str:
    """Return a text without what looks like a credential, cut to :data:`MAX_TEXT`."""
    if len(text) > MAX_TEXT:
        text = f"...{text[-MAX_TEXT:]}"
    for place, hidden in _PLACES:
        text = place.sub(hidden, text)
    return text
