"""The format of a ``@cacheTag``: text with places such as ``{$key.id}`` or ``{$args.input.id}``."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["TagFault", "TagPlace", "read_tag_format"]

_PLACE = re.compile(r"\{([^{}]*)(\}?)")
_INSIDE = re.compile(r"\s*\$([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)+)\s*")


class TagFault(ValueError):
    """A format that means nothing; the message says why."""


@dataclass(frozen=True, slots=True)
class TagPlace:
    """Where a value is put in: ``root`` is ``key`` or ``args``, ``path`` leads to the value from there."""

    root: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"${self.root}.{'.'.join(self.path)}"


def read_tag_format(text: str) -> tuple[tuple[str, ...], tuple[TagPlace, ...]]:
    """Return the texts around the places, one more than there are places, and the places.

    Raises:
        TagFault: it is empty, a brace is not closed, or something else than a path stands in braces.
    """
    if not text.strip():
        raise TagFault("the format is empty; give the tag a name")
    texts: list[str] = []
    places: list[TagPlace] = []
    end = 0
    for found in _PLACE.finditer(text):
        if not found[2]:
            raise TagFault(f"the brace in {text[found.start() :][:60]!r} is not closed")
        inside = _INSIDE.fullmatch(found[1])
        if inside is None or inside[1] not in {"key", "args"}:
            raise TagFault(f"{found[0][:60]!r} is no place for a value; write {{$key.field}} or {{$args.argument}}")
        texts.append(text[end : found.start()])
        places.append(TagPlace(inside[1], tuple(inside[2][1:].split("."))))
        end = found.end()
    return (*texts, text[end:]), tuple(places)
