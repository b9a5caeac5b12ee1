"""Shape the answer fast: generated code for data without faults.

1. Each composite position becomes one Python function whose body is a dict display in answer order; lists become
   comprehensions over it. The functions of a plan are compiled together, once.
2. The functions only know good data. At the first sign of anything else (a missing key, a null in a non-null position,
   a class that the leaf type does not have, an unknown enum value or type name) they raise, and the caller shapes the
   data by :mod:`gateway.executor.completion` instead. So this module never decides what an error looks like.

Code for data without faults knows strings for IDs. Numbers in place of them are no fault either, but a subgraph sends
them everywhere or nowhere, so they have code of their own, which makes them strings.

Leaf classes are checked for a whole object at once: the tuple of their classes is looked up among the tuples that were
found right before, and only a tuple that is new is judged leaf by leaf.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.executor.shape import INTS, Composite, Leaf, Position, fits

__all__ = ["FAULTS", "Generator", "Mismatch", "NeedsExactness", "Projection", "compile_projection"]

Projection = Callable[[dict[str, Any]], dict[str, Any]]

_MAX_KNOWN_CLASS_TUPLES = 256
"""Class tuples that are remembered per object position; custom scalars could bring endless new ones."""


class Mismatch(Exception):
    """The data is not what generated code is for."""


FAULTS = (Mismatch, KeyError, TypeError, AttributeError)
"""What generated code raises on data that it is not for."""


def compile_projection(root: Composite, *, takes_numbers: bool = False) -> Projection | None:
    """Return the generated projection of the root object; None when a field always needs the exact way.

    With ``takes_numbers`` whole numbers in place of IDs become strings. The projection raises :class:`Mismatch`,
    KeyError, TypeError or AttributeError on any fault in the data.
    """
    try:
        projection: Projection = Generator(takes_numbers=takes_numbers).function(root)
    except NeedsExactness:
        return None
    return projection


class NeedsExactness(Exception):
    """The position cannot be handled by generated code."""


class Generator:
    """Writes the functions of one shape; what they return for objects, lists and nulls is for subclasses to change."""

    null = "None"

    def __init__(self, *, takes_numbers: bool = False) -> None:
        self._takes_numbers = takes_numbers
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {"bad": _bad, "first": _first, "null_unless_bad": self.null_unless_bad}
        self._count = 0
        self._objects: dict[object, str] = {}

    def function(self, root: Composite) -> Any:
        """Return the compiled function of the root object.

        Raises:
            NeedsExactness: a field of it always needs the exact way.
        """
        name = self.composite(root)
        code = compile("\n".join(self.lines), "<projection>", "exec")
        exec(code, self.scope)  # noqa: S102 - names and keys enter the code through repr() or the scope only
        return self.scope[name]

    def composite(self, target: Composite) -> str:
        """Generate the function of a composite position and return its name."""
        if target.is_abstract:
            return self._abstract(target)
        return self._object(target.fields.get(target.name, ()), target.name)

    def _abstract(self, target: Composite) -> str:
        needs_type = any(field.name == "__typename" for fields in target.fields.values() for field in fields)
        if not target.fields:
            raise NeedsExactness
        if target.is_uniform and not needs_type:
            inner = self._object(next(iter(target.fields.values())), target.name)
            allowed = self._bind("allowed", target.possible | target.tolerated | {None})
            return self._define("o", f" return {inner}(o) if o.get('__typename') in {allowed} else bad()")
        by_fields: dict[int, str] = {}
        functions: dict[str, Any] = {}
        for runtime, fields in target.fields.items():
            if id(fields) not in by_fields:
                by_fields[id(fields)] = self._object(fields, None)
            functions[runtime] = by_fields[id(fields)]
        table = self._name("table")
        pairs = ",".join(f"{runtime!r}:{function}" for runtime, function in functions.items())
        self.lines.append(f"{table}={{{pairs}}}")
        return self._define("o", f" return {table}[o['__typename']](o)")

    def _object(self, fields: tuple[Position, ...], typename: str | None) -> str:
        """Generate the function of an object; ``typename`` None takes it from the data.

        Positions that are shaped alike share one function: operations repeat their fragments, and compiling Python is
        the most expensive step of preparing an operation.
        """
        inner = {field.key: self.composite(field.target) for field in fields if isinstance(field.target, Composite)}
        signature = (typename, tuple(_signature(field, inner.get(field.key)) for field in fields))
        found = self._objects.get(signature)
        if found is None:
            found = self._objects[signature] = self._generate(fields, typename, inner)
        return found

    def _generate(self, fields: tuple[Position, ...], typename: str | None, inner: dict[str, str]) -> str:
        body: list[str] = []
        items: list[tuple[Position, str]] = []
        leaves: list[tuple[str, Position]] = []
        for number, field in enumerate(fields):
            if field.is_denied:
                raise NeedsExactness
            if field.name == "__typename":
                items.append((field, repr(typename) if typename else "o['__typename']"))
            elif isinstance(field.target, Leaf) and "[" not in field.wrappers:
                variable = f"v{number}"
                body.append(f" {variable}=o[{field.source!r}]")
                leaves.append((variable, field))
                items.append((field, self._text(variable) if self._converts(field.target) else variable))
            else:
                items.append((field, self._expression(field, inner.get(field.key))))
        if not any(field.name != "__typename" for field in fields):
            body.append(" if o.__class__ is not dict: bad()")
        body += self._leaf_checks(leaves)
        return self._define("o", "\n".join([*body, *self.answer(items, typename)]))

    def answer(self, items: list[tuple[Position, str]], typename: str | None) -> list[str]:  # noqa: ARG002 - for subclasses
        """Return the last lines of an object's function; ``items`` are its fields with their expressions."""
        pairs = ",".join(f"{field.key!r}:{expression}" for field, expression in items)
        return [f" return {{{pairs}}}"]

    def collect(self, item: str, variable: str, values: str) -> str:
        """Return the expression for a list whose items are shaped by the expression ``item``."""
        return f"[{item} for {variable} in {values}]"

    @staticmethod
    def null_unless_bad(value: Any) -> Any:
        """Return what stands for null, for a value that is not a list."""
        if value is not None:
            raise Mismatch

    def _leaf_checks(self, leaves: list[tuple[str, Position]]) -> list[str]:
        checks: list[str] = []
        judged: list[tuple[str, Position]] = []
        for variable, field in leaves:
            leaf = field.target
            assert isinstance(leaf, Leaf)  # noqa: S101 - for the type checker, the caller sorts fields by target
            if leaf.values is not None:
                allowed = self._bind("enum", leaf.values if field.wrappers else leaf.values | {None})
                checks.append(f" if {variable} not in {allowed}: bad()")
            elif leaf.classes is not None or field.wrappers:
                judged.append((variable, field))
        if len(judged) == 1:
            variable, field = judged[0]
            accepted = self._classes(field)
            if accepted is None:
                checks.append(f" if {variable} is None: bad()")
            else:
                classes = self._bind("classes", accepted)
                checks.append(f" if {variable}.__class__ not in {classes}: bad()")
        elif judged:
            known: set[tuple[type, ...]] = set()
            known_name = self._bind("known", known)
            learn = self._bind("learn", _learner(tuple(self._classes(field) for _, field in judged), known))
            classes = ",".join(f"{variable}.__class__" for variable, _ in judged)
            checks.append(f" if ({classes}) not in {known_name}: {learn}(({classes}))")
        for variable, field in judged:
            if isinstance(field.target, Leaf) and field.target.is_int:
                null = "" if field.wrappers else f"{variable} is not None and "
                far = (
                    f"({variable} > {_NEAR} or {variable} < {-_NEAR}) and {variable} not in {self._bind('ints', INTS)}"
                )
                checks.append(f" if {null}{far}: bad()")
        return checks

    def _converts(self, leaf: Leaf) -> bool:
        return self._takes_numbers and leaf.is_id

    @staticmethod
    def _text(variable: str) -> str:
        return f"({variable} if {variable}.__class__ is not int else str({variable}))"

    def _classes(self, field: Position) -> frozenset[type] | None:
        """Return the classes that a leaf's values may have, None when all but null are right."""
        leaf = field.target
        if not isinstance(leaf, Leaf) or leaf.classes is None:
            return None
        accepted = leaf.classes | {int} if self._converts(leaf) else leaf.classes
        return accepted if field.wrappers else accepted | {_NONE}

    def _expression(self, field: Position, function: str | None) -> str:
        """Return the expression for a list of leaves, or for a composite that ``function`` shapes."""
        value = f"o[{field.source!r}]"
        if field.first is not None:
            value = f"first({value},{field.first})"
        if isinstance(field.target, Leaf):
            check = self._bind("check", _leaf_list_check(field.target, field.wrappers, self._converts(field.target)))
            return f"{check}({value})"
        return self._wrap(field.wrappers, value, str(function), 0)

    def _wrap(self, wrappers: str, value: str, function: str, depth: int) -> str:
        nullable = not wrappers.startswith("!")
        inner = wrappers if nullable else wrappers[1:]
        here = f"w{self._count}_{depth}"
        self._count += 1
        if not inner:
            if not nullable:
                return f"{function}({value})"
            return f"({self.null} if ({here}:={value}) is None else {function}({here}))"
        item = self._wrap(inner[1:], f"i{depth}", function, depth + 1)
        listed = self.collect(item, f"i{depth}", here)
        otherwise = f"null_unless_bad({here})" if nullable else "bad()"
        return f"({listed} if ({here}:={value}).__class__ is list else {otherwise})"

    def _define(self, parameter: str, body: str) -> str:
        name = self._name("f")
        self.lines.append(f"def {name}({parameter}):\n{body}")
        return name

    def _bind(self, kind: str, value: Any) -> str:
        name = self._name(kind)
        self.scope[name] = value
        return name

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"


def _signature(field: Position, function: str | None) -> tuple[object, ...]:
    """Return all that the generated code of a field depends on."""
    target = id(field.target) if function is None else function
    return (field.key, field.source, field.name, field.wrappers, field.is_denied, field.first, target)


def _learner(
    accepted: tuple[frozenset[type] | None, ...], known: set[tuple[type, ...]]
) -> Callable[[tuple[type, ...]], None]:
    def learn(classes: tuple[type, ...]) -> None:
        if not all(_accepts(one, found) for found, one in zip(classes, accepted, strict=True)):
            raise Mismatch
        if len(known) < _MAX_KNOWN_CLASS_TUPLES:
            known.add(classes)

    return learn


def _accepts(classes: frozenset[type] | None, found: type) -> bool:
    return found is not _NONE if classes is None else found in classes


def _leaf_list_check(leaf: Leaf, wrappers: str, converts: bool) -> Callable[[Any], Any]:
    nullable = not wrappers.startswith("!")
    inner = wrappers if nullable else wrappers[1:]
    if inner:
        item = _leaf_list_check(leaf, inner[1:], converts)

        def check_list(value: Any) -> Any:
            if value is None and nullable:
                return None
            if value.__class__ is not list:
                raise Mismatch
            return [item(one) for one in value]

        return check_list

    def check_leaf(value: Any) -> Any:
        if value is None:
            if nullable:
                return None
            raise Mismatch
        if converts and value.__class__ is int:
            return str(value)
        if not fits(leaf, value):
            raise Mismatch
        return value

    return check_leaf


def _first(value: Any, count: int) -> Any:
    return value[:count] if value.__class__ is list else value


def _bad() -> Any:
    raise Mismatch


_NEAR = 2**30 - 1
"""The largest number that CPython compares without looking at more than one digit of it."""

_NONE = type(None)
