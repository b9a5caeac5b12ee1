"""Find out whether a subgraph's answer already is the client's answer, so that its bytes can be passed on.

The same generated code as for projections, but nothing is built: each object's keys are compared with those the client
asked for, in their order, and the function returns how many keys there are. That number also tells whether the bytes
hold what was read: with a key twice in an object, or with anything beside ``data``, there are more in the text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.executor.projection import Generator, Mismatch, NeedsExactness
from gateway.executor.shape import Composite, Leaf, Position

__all__ = ["Verification", "compile_verification", "is_same_text"]

Verification = Callable[[dict[str, Any]], int]


def compile_verification(root: Composite) -> Verification | None:
    """Return a function that counts the keys of data that is the answer as it stands.

    It raises :class:`Mismatch`, KeyError, TypeError or AttributeError when the data is not. None when it never can be,
    because response keys differ from the keys in the data.
    """
    try:
        verification: Verification = _Counter().function(root)
    except NeedsExactness:
        return None
    return verification


def is_same_text(body: bytes, keys: int) -> bool:
    """Tell whether a body holds ``data`` with so many keys and nothing else.

    Text in values may look like a key; then the answer is no, which is safe.
    """
    return body.count(b'":') == keys + 1


class _Counter(Generator):
    null = "0"

    def answer(self, items: list[tuple[Position, str]], typename: str | None) -> list[str]:
        if any(field.key != field.source for field, _ in items):
            raise NeedsExactness
        lines: list[str] = []
        counts = [str(len(items))]
        for field, expression in items:
            if field.name == "__typename" and typename is not None:
                lines.append(f" if o['__typename'] != {typename!r}: bad()")
            elif not isinstance(field.target, Leaf):
                counts.append(expression)
            elif "[" in field.wrappers:
                lines.append(f" {expression}")
        keys = self._bind("keys", tuple(field.key for field, _ in items))
        return [f" if tuple(o) != {keys}: bad()", *lines, f" return {'+'.join(counts)}"]

    def collect(self, item: str, variable: str, values: str) -> str:
        return f"sum([{item} for {variable} in {values}])"

    @staticmethod
    def null_unless_bad(value: Any) -> Any:
        if value is not None:
            raise Mismatch
        return 0
