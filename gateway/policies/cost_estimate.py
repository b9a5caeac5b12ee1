"""What an operation may cost, before it runs, and what it did cost, from its answer.

A field costs its weight and that of its arguments; for a list the weight counts for every item that it may have. Where
several object types are possible the dearest one counts. What does not depend on variables is added up once per
operation, so that most operations are a number.

- weight of a field: its ``@cost``, else that of its type, else 1 for an object and 0 for a leaf;
- size of a list: the largest slicing argument, else the assumed size, else the default of the settings; a negative
  argument counts as none;
- a mutation costs ``MUTATION`` more: it changes something in a system.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphql import Undefined, value_from_ast_untyped
from graphql.language import ListTypeNode, NonNullTypeNode, TypeNode

from gateway.operation import Operation, SelectedField
from gateway.policies.cost_weights import CostWeights, ListSize
from gateway.supergraph import named_type

__all__ = ["OperationCost"]

MUTATION = 10
"""What each field of a mutation costs besides its weight."""

MAX_COST = 2**53
"""Costs are cut here: clients read them as numbers of JavaScript."""

_Variables = Mapping[str, Any]
_Amount = int | Callable[[_Variables], int]
"""A number, or what computes it from variables."""


class OperationCost:
    """The cost of one operation; compiled once."""

    def __init__(self, operation: Operation, weights: CostWeights, default_list_size: int) -> None:
        self._weights = weights
        self._default_size = default_list_size
        self._fields = operation.fields
        per_field = MUTATION if operation.kind == "mutation" else 0
        self._base = per_field * len(operation.fields)
        self._amount = self._selection(operation.fields, {}, self._base)

    @property
    def is_fixed(self) -> bool:
        """Whether the cost depends on no variable."""
        return isinstance(self._amount, int)

    def estimate(self, variables: _Variables) -> int:
        """Return what the operation may cost with these variables, those with defaults among them."""
        amount = self._amount
        return min(amount if isinstance(amount, int) else amount(variables), MAX_COST)

    def measure(self, data: Mapping[str, Any] | None) -> int:
        """Return what an answer did cost; arguments are not counted again. Linear in the size of the answer."""
        return 0 if data is None else min(self._base + self._measure_object(self._fields, data), MAX_COST)

    def _measure_object(self, fields: tuple[SelectedField, ...], data: Mapping[str, Any]) -> int:
        total = 0
        seen: set[str] = set()
        for field in fields:
            if field.key in data and field.key not in seen:  # the other fields of this key are for other types
                seen.add(field.key)
                total += self._measure_value(field, data[field.key])
        return total

    def _measure_value(self, field: SelectedField, value: Any) -> int:
        if value is None:
            return 0
        if isinstance(value, list):
            return sum(self._measure_value(field, item) for item in value)
        weight = self._weight(field)
        if field.fields and isinstance(value, Mapping):
            return weight + self._measure_object(field.fields, value)
        return weight

    def _selection(self, fields: tuple[SelectedField, ...], sized: Mapping[str, _Amount], base: int = 0) -> _Amount:
        """Return the cost of an object: that of the type whose fields cost most."""
        types = sorted({name for field in fields for name in field.on})
        costs = {id(field): self._field(field, sized.get(field.name)) for field in fields}
        groups = {tuple(costs[id(field)] for field in fields if name in field.on) for name in types}
        return _largest([_sum([base, *group]) for group in groups])

    def _field(self, field: SelectedField, size: _Amount | None) -> _Amount:
        own = self._size_of(field)
        items = self._items(field, own)
        sized: dict[str, _Amount] = {}
        if own is not None and own.sized_fields:
            sized = dict.fromkeys(own.sized_fields, items)
        inner = self._selection(field.fields, sized) if field.fields else 0
        each = _sum([self._weight(field), inner])
        if _is_list(field.type):
            each = _product(each, items if size is None else size)
        return _guarded(field, _sum([each, self._arguments(field)]))

    def _weight(self, field: SelectedField) -> int:
        weights = self._weights
        given = [weights.fields[name] for on in field.on if (name := f"{on}.{field.name}") in weights.fields]
        if given:
            return max(given)
        return weights.types.get(named_type(field.type), 1 if field.target is not None else 0)

    def _size_of(self, field: SelectedField) -> ListSize | None:
        found = (self._weights.sizes.get(f"{on}.{field.name}") for on in sorted(field.on))
        return next((size for size in found if size is not None), None)

    def _items(self, field: SelectedField, size: ListSize | None) -> _Amount:
        if size is None:
            return self._default_size
        otherwise = self._default_size if size.assumed is None else size.assumed
        if not size.slicing:
            return otherwise
        coordinate = f"{min(field.on)}.{field.name}"
        return self._from_arguments(field, lambda given: _slice(given, size, self._weights, coordinate, otherwise))

    def _arguments(self, field: SelectedField) -> _Amount:
        coordinates = [f"{on}.{field.name}" for on in sorted(field.on)]

        def price(given: Mapping[str, Any]) -> int:
            return max(sum(self._given(coordinate, name, given[name]) for name in given) for coordinate in coordinates)

        weighs = self._weights.arguments or self._weights.inputs
        return self._from_arguments(field, price) if weighs and field.arguments else 0

    def _given(self, owner: str, name: str, value: Any) -> int:
        """Return the weight of giving one argument or input field with all that is in it."""
        weights = self._weights
        is_field = (owner, name) in weights.arguments
        own = weights.arguments.get((owner, name), 0) if is_field else weights.inputs.get((owner, name), 0)
        type_name = weights.input_types.get((owner, name), "")
        total, waiting = own, [value]
        while waiting:
            item = waiting.pop()
            if isinstance(item, list):
                waiting += item
            elif isinstance(item, Mapping):
                total += sum(self._given(type_name, key, inner) for key, inner in item.items())
        return total

    @staticmethod
    def _from_arguments(field: SelectedField, read: Callable[[Mapping[str, Any]], int]) -> _Amount:
        """Return what ``read`` makes of the arguments; now, when no variable is among them."""
        if "$" not in field.arguments_text:
            return read(_values(field, {}))
        return lambda variables: read(_values(field, variables))


def _values(field: SelectedField, variables: _Variables) -> dict[str, Any]:
    found = {}
    for argument in field.arguments:
        value = value_from_ast_untyped(argument.value, dict(variables))
        if value is not None and value is not Undefined:
            found[argument.name.value] = value
    return found


def _slice(given: Mapping[str, Any], size: ListSize, weights: CostWeights, coordinate: str, otherwise: int) -> int:
    found: list[int] = []
    for path in size.slicing:
        value: Any = given.get(path[0], weights.defaults.get((coordinate, path[0])))
        for step in path[1:]:
            value = value.get(step) if isinstance(value, Mapping) else None
        if isinstance(value, int) and not isinstance(value, bool):
            found.append(value if value >= 0 else otherwise)  # subgraphs differ in what they make of it
    return max(found, default=otherwise)


def _is_list(type_: TypeNode) -> bool:
    return isinstance(type_.type if isinstance(type_, NonNullTypeNode) else type_, ListTypeNode)


def _guarded(field: SelectedField, amount: _Amount) -> _Amount:
    """Return the amount of a field that ``@skip`` and ``@include`` may leave out."""
    if not field.guards or amount == 0:
        return amount
    alternatives = field.guards

    def guarded(variables: _Variables) -> int:
        for guards in alternatives:
            if all((variables.get(guard.variable) is True) is guard.expected for guard in guards):
                return amount if isinstance(amount, int) else amount(variables)
        return 0

    return guarded


def _sum(amounts: list[_Amount]) -> _Amount:
    fixed = sum(item for item in amounts if isinstance(item, int))
    open_ = [item for item in amounts if not isinstance(item, int)]
    if not open_:
        return fixed
    return lambda variables: fixed + sum(item(variables) for item in open_)


def _product(one: _Amount, other: _Amount) -> _Amount:
    if isinstance(one, int) and isinstance(other, int):
        return one * other
    return lambda variables: _value(one, variables) * _value(other, variables)


def _largest(amounts: list[_Amount]) -> _Amount:
    fixed = max((item for item in amounts if isinstance(item, int)), default=0)
    open_ = [item for item in amounts if not isinstance(item, int)]
    if not open_:
        return fixed
    return lambda variables: max(fixed, *(item(variables) for item in open_))


def _value(amount: _Amount, variables: _Variables) -> int:
    return amount if isinstance(amount, int) else amount(variables)
