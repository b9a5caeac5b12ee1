"""Headers that extensions may change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping

from gateway.config.headers import check_header_name, check_header_value

__all__ = ["EditableHeaders"]


class EditableHeaders(MutableMapping[str, str]):
    """Headers by name, in any case of letters; one that came several times is changed as a whole.

    Names that belong to a connection or a body are refused, and so are values that are not printable ASCII: with
    ValueError.
    """

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = tuple(pairs)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Lower-case names with values."""
        return self._pairs

    def __getitem__(self, name: str) -> str:
        wanted = name.lower()
        for key, value in self._pairs:
            if key == wanted:
                return value
        raise KeyError(name)

    def __setitem__(self, name: str, value: str) -> None:
        lowered, checked = check_header_name(name), check_header_value(value)
        self._pairs = (*(pair for pair in self._pairs if pair[0] != lowered), (lowered, checked))

    def __delitem__(self, name: str) -> None:
        lowered = name.lower()
        kept = tuple(pair for pair in self._pairs if pair[0] != lowered)
        if len(kept) == len(self._pairs):
            raise KeyError(name)
        self._pairs = kept

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key for key, _ in self._pairs))

    def __len__(self) -> int:
        return len({key for key, _ in self._pairs})

    def __repr__(self) -> str:
        return f"EditableHeaders({', '.join(self)})"
