"""Mutations that may be sent again: ``@idempotent(key:)``, composed by subgraphs, and the header ``Idempotency-Key``.

The directive names where in a field's arguments the client's key lies. The header is the same key in the place where
clients and proxies put it without knowing the operation:
https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/

1. What the document leaves out becomes a variable, before it is validated; what it takes from a variable is filled in
   before the variables are checked. A key that stands there already has to be the same.
2. While a request with a key is under way here, a second one of the same principal is refused, and so is any that asks
   for something else under a key that was used. A later one that asks for the same goes to the subgraph, which answers
   it as the first.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import GraphQLInputObjectType, GraphQLInputType, get_nullable_type, print_ast
from graphql.language import ArgumentNode, ObjectValueNode, StringValueNode, ValueNode, VariableNode

from gateway.errors import ErrorCode, RequestError, SupergraphError
from gateway.operation import Operation
from gateway.operation.key_variable import KeyedField
from gateway.operation.variables import Variables
from gateway.server.principal import Principal
from gateway.supergraph import Supergraph

__all__ = ["DIRECTIVE", "KeyedFields", "KeyedMutation", "Keys", "compile_keys", "idempotent_fields", "read_key"]

DIRECTIVE = "idempotent"

MAX_KEY_CHARS = 256
"""Longest key in the header; a UUID has 36."""

RETRY_AFTER_S = 1.0
"""When to ask again for a mutation that is under way; most are answered within a second or two."""

MAX_REMEMBERED = 10_000
"""Keys of which it is remembered what they stood for; those that were used least recently go first."""

_ESCAPED = re.compile(r"\\(.)")
_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)" *(?:;.*)?')
"""An Item of RFC 9651 that is a String, whose parameters mean nothing here."""

_Use = tuple[Principal, str, str]
"""Who used a key, for which field, and the key."""

KeyedFields = Mapping[str, KeyedField]
"""The fields with a key by their name."""


def idempotent_fields(supergraph: Supergraph) -> KeyedFields:
    """Return the mutation fields that have a key; a directive of that name without ``key`` is somebody else's.

    Raises:
        SupergraphError: the directive stands elsewhere, or names something that is no text of the arguments.
    """
    given = supergraph.field_directives(DIRECTIVE)
    found = ((where, _read(supergraph, where, arguments)) for where, arguments in given.items() if "key" in arguments)
    return {where.partition(".")[2]: field for where, field in found if field is not None}


def _read(supergraph: Supergraph, where: str, arguments: Mapping[str, Any]) -> KeyedField | None:
    type_name, _, field_name = where.partition(".")
    if type_name != supergraph.root_types.get("mutation"):
        raise _wrong(where, "only a mutation field can have a key")
    key = arguments.get("key")
    if not isinstance(key, str):
        raise _wrong(where, "key must be the path of an argument")
    path = tuple(key.split("."))
    mutation = supergraph.api_schema.mutation_type
    field = None if mutation is None else mutation.fields.get(field_name)
    if field is None:
        return None  # clients do not see it
    inputs: Mapping[str, Any] = field.args
    for name in path[:-1]:
        inputs = _fields(inputs[name].type) if name in inputs else {}
    found = inputs.get(path[-1])
    type_ = None if found is None else str(get_nullable_type(found.type))
    if type_ not in {"ID", "String"}:
        raise _wrong(where, f"it has no argument {key} of type String or ID")
    return KeyedField(path, type_)


def _fields(type_: GraphQLInputType) -> Mapping[str, Any]:
    found = get_nullable_type(type_)
    return found.fields if isinstance(found, GraphQLInputObjectType) else {}


def _wrong(where: str, what: str) -> SupergraphError:
    return SupergraphError(f"{where} is marked @{DIRECTIVE}, but {what}")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an operation has the key of one field.

    Attributes:
        variable: the variable that it comes from, None when the document says it.
        path: the way in the variable's value.
        literal: the key that the document says, None when it says none.
        arguments: what the document asks for, as text.
    """

    field: str
    arguments: str
    variable: str | None
    path: tuple[str, ...]
    literal: str | None

    def key(self, values: Mapping[str, Any]) -> str | None:
        """Return the key, None where there is none."""
        if self.variable is None:
            return self.literal
        found: Any = values.get(self.variable)
        for name in self.path:
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, str) else None


@dataclass(frozen=True, slots=True)
class KeyedMutation:
    """The keys of one operation.

    Attributes:
        is_whole: every field that the operation asks for has a key.
    """

    places: tuple[_Place, ...]
    is_whole: bool

    @property
    def fields(self) -> tuple[str, ...]:
        """The mutation fields that have a key."""
        return tuple(place.field for place in self.places)

    def fill(self, given: Mapping[str, Any] | None, defaults: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Return the variables with the key of the header where the client left it out.

        Raises:
            RequestError: IDEMPOTENCY_KEY_INVALID, it cannot be told which field the key is for;
                IDEMPOTENCY_KEY_MISMATCH, the arguments have another one.
        """
        if len(self.places) > 1:
            names = ", ".join(self.fields)
            message = f"Idempotency-Key is the key of one mutation, and the operation has {names}: write their keys"
            raise RequestError(ErrorCode.IDEMPOTENCY_KEY_INVALID, f"{message} into the arguments, without the header")
        place, values = self.places[0], dict(given or {})
        found = place.key({**defaults, **values})
        if found is not None and found != key:
            message = f"Idempotency-Key differs from the key in the arguments of {place.field}: send one of them"
            raise RequestError(ErrorCode.IDEMPOTENCY_KEY_MISMATCH, message)
        if found is None and place.variable is None:
            message = f"Idempotency-Key finds no place in a fragment: write the key into the arguments of {place.field}"
            raise RequestError(ErrorCode.IDEMPOTENCY_KEY_INVALID, message)
        if found is None and place.variable is not None:
            values[place.variable] = _with(values.get(place.variable, defaults.get(place.variable)), place.path, key)
        return values

    def asked_for(self, variables: Mapping[str, Any] | None) -> bytes:
        """Return a digest of what is asked for: the arguments of the document, and the variables that were sent."""
        asked = ([place.arguments for place in self.places], variables or {})
        # Files stand outside of the variables: another file is another request, but it cannot be told by its place.
        return hashlib.sha256(orjson.dumps(asked, default=lambda _: None, option=orjson.OPT_SORT_KEYS)).digest()

    def has_all(self, variables: Variables) -> bool:
        """Tell whether the whole mutation may be sent again: all of its fields have a key."""
        values = {**variables.defaults, **variables.values}
        return self.is_whole and all(place.key(values) for place in self.places)


def _with(value: Any, path: tuple[str, ...], key: str) -> Any:
    """Return the value with the key in it; one that is of another form stays, and the check of variables tells why."""
    if not path:
        return key if value is None else value
    if value is not None and not isinstance(value, dict):
        return value
    found = value or {}
    return {**found, path[0]: _with(found.get(path[0]), path[1:], key)}


def compile_keys(operation: Operation, fields: KeyedFields) -> KeyedMutation | None:
    """Return the keys of an operation, None when it has no field with one."""
    if operation.kind != "mutation":
        return None
    asked = [field for field in operation.fields if field.name != "__typename"]
    keyed = [(field, fields[field.name]) for field in asked if field.name in fields]
    places = tuple(_place(field.name, field.arguments, known.path) for field, known in keyed)
    return KeyedMutation(places, len(places) == len(asked)) if places else None


def _place(field: str, arguments: tuple[ArgumentNode, ...], path: tuple[str, ...]) -> _Place:
    asked = " ".join(sorted(print_ast(argument) for argument in arguments))
    node: ValueNode | None = next((item.value for item in arguments if item.name.value == path[0]), None)
    for depth, name in enumerate(path[1:], 1):
        if isinstance(node, VariableNode):
            return _Place(field, asked, node.name.value, path[depth:], None)
        inside = node.fields if isinstance(node, ObjectValueNode) else ()
        node = next((item.value for item in inside if item.name.value == name), None)
    if isinstance(node, VariableNode):
        return _Place(field, asked, node.name.value, (), None)
    return _Place(field, asked, None, (), node.value if isinstance(node, StringValueNode) else None)


def read_key(header: str) -> str:
    """Return the key that a header ``Idempotency-Key`` holds.

    Raises:
        RequestError: IDEMPOTENCY_KEY_INVALID, it is no String of structured fields, empty or too long.
    """
    found = _STRING.fullmatch(header.strip(" "))
    key = "" if found is None else _ESCAPED.sub(r"\1", found[1])
    if not 0 < len(key) <= MAX_KEY_CHARS:
        wanted = f"a string in double quotes with 1 to {MAX_KEY_CHARS} characters"
        message = f'Idempotency-Key must be {wanted}, like "8e03978e-40d5"'
        raise RequestError(ErrorCode.IDEMPOTENCY_KEY_INVALID, message)
    return key


class Keys:
    """The keys that came by the header: those under way, never more than requests, and what the last ones asked for."""

    def __init__(self) -> None:
        self._running: set[_Use] = set()
        self._asked: OrderedDict[_Use, bytes] = OrderedDict()

    @contextmanager
    def hold(
        self, keyed: KeyedMutation, principal: Principal, key: str, variables: Mapping[str, Any] | None
    ) -> Iterator[None]:
        """Keep others from running the same until the block ends.

        Raises:
            RequestError: IDEMPOTENCY_KEY_REUSED, the key stood for something else before; IDEMPOTENCY_KEY_IN_USE, the
                same is under way.
        """
        mine = {(principal, field, key) for field in keyed.fields}
        asked = keyed.asked_for(variables)
        if any(self._asked.get(use, asked) != asked for use in mine):
            message = "this Idempotency-Key came with another request before: use a new key for a new request"
            raise RequestError(ErrorCode.IDEMPOTENCY_KEY_REUSED, message, http_status=422)
        if not mine.isdisjoint(self._running):
            message = "a request with this Idempotency-Key is under way; ask again a little later for its answer"
            code = ErrorCode.IDEMPOTENCY_KEY_IN_USE
            raise RequestError(code, message, http_status=409, retry_after_s=RETRY_AFTER_S)
        new = [use for use in mine if use not in self._asked]
        self._remember(mine, asked)
        self._running |= mine
        try:
            yield
        except RequestError:  # nothing was sent
            for use in new:
                self._asked.pop(use, None)
            raise
        finally:
            self._running -= mine

    def _remember(self, mine: set[_Use], asked: bytes) -> None:
        for use in mine:
            self._asked[use] = asked
            self._asked.move_to_end(use)
        while len(self._asked) > MAX_REMEMBERED:
            self._asked.popitem(last=False)
