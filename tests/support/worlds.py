"""A world of data that is a pure function of names, served whole by one schema or in parts by subgraphs.

Every value follows from a hash of (type, identity, field, arguments), so that any server that holds a part of the world
answers the same. A field with requirements or contexts also hashes what it is given; a subgraph that is asked for such
a field without being given the values, or for a field that it only refers to, fails the test.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    execute_sync,
    get_named_type,
    parse,
    print_ast,
    validate,
    value_from_ast_untyped,
)

from gateway.bootstrap import build_gateway
from gateway.composition import Composition, SubgraphSource, compose
from gateway.executor import (
    DeferredResult,
    ExecutionContext,
    ExecutionResult,
    StreamedItems,
    compile_plan,
    run_deferred,
)
from gateway.graph import SubgraphIndex
from gateway.operation import parse_operation
from gateway.operation.document import SelectedField
from gateway.plan import check_plan
from gateway.planner import Planner
from gateway.supergraph import ContextArgument, JoinField, Supergraph, parse_supergraph
from gateway.transport.base import SubgraphRequest, SubgraphResponse

LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@external", '
    '"@requires", "@provides", "@override", "@inaccessible", "@interfaceObject", "@context", "@fromContext"])\n'
)
_DIRECTIVES = """
directive @key(fields: String!, resolvable: Boolean = true) repeatable on OBJECT | INTERFACE
directive @shareable repeatable on OBJECT | FIELD_DEFINITION
directive @external on OBJECT | FIELD_DEFINITION
directive @requires(fields: String!) on FIELD_DEFINITION
directive @provides(fields: String!) on FIELD_DEFINITION
directive @override(from: String!, label: String) on FIELD_DEFINITION
directive @inaccessible on FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ENUM | ENUM_VALUE | SCALAR | INPUT_OBJECT
directive @interfaceObject on OBJECT
directive @context(name: String!) repeatable on OBJECT | INTERFACE | UNION
directive @fromContext(field: String) on ARGUMENT_DEFINITION
scalar _Any
"""
IDENTITIES = 4
"""How many objects of each type there are; few, so that equal entities meet."""


@dataclass(eq=False)
class Thing:
    """An object: its runtime type, its identity, how one came to it, and what a subgraph was told about it."""

    typename: str
    identity: str
    parent: Thing | None = None
    given: Mapping[str, Any] = field(default_factory=dict)


class World:
    """The data of one supergraph."""

    def __init__(self, supergraph: Supergraph) -> None:
        self.supergraph = supergraph
        self.index = SubgraphIndex(supergraph)
        self.keys: set[tuple[str, str]] = set()
        for type_ in supergraph.types.values():
            for join in type_.joins.values():
                for text, _ in join.keys:
                    self._add_keys(type_.name, self.index.field_set(text, type_.name))

    def _add_keys(self, type_name: str, fields: Iterable[SelectedField]) -> None:
        for one in fields:
            self.keys.add((type_name, one.name))
            self._add_keys(one.target or "", one.fields)

    # --- values ----------------------------------------------------------------------------------------------------

    def seed(self, *parts: object) -> int:
        text = json.dumps(parts, sort_keys=True, default=str)
        return int.from_bytes(hashlib.blake2s(text.encode(), digest_size=6).digest())

    def owner(self, type_name: str, name: str) -> str:
        """Return the type that a field's values hang on: an interface when an interface object gives them."""
        for interface in self.index.interfaces(type_name):
            type_ = self.supergraph.types[interface]
            if name in type_.fields and any(
                type_.joins[graph].is_interface_object and not join.external
                for graph, join in type_.fields[name].joins.items()
            ):
                return interface
        return type_name

    def pick(self, declared: str, identity: str, allowed: Iterable[str]) -> str:
        """Return the runtime type of an object of an abstract type; it follows from the identity alone."""
        names = sorted(allowed)
        return names[self.seed("pick", declared, identity) % len(names)]

    def allowed(self, type_name: str, name: str, declared: str) -> frozenset[str]:
        """Return the types that every subgraph that resolves a field can return for it."""
        found = frozenset(self.supergraph.possible_types[declared])
        definition = self.supergraph.types[type_name].fields[name]
        for graph, join in definition.joins.items():
            if not join.external:
                found &= self.index.possible(graph, self.index.target(join, type_name, name))
        return found

    def value(self, thing: Thing, name: str, type_: Any, salt: Any) -> Any:
        owner = self.owner(thing.typename, name)
        if (owner, name) in self.keys or (thing.typename, name) in self.keys:
            return self._key_value(thing, name, type_)
        return self._make(thing, owner, name, type_, self.seed(owner, thing.identity, name, salt))

    def _key_value(self, thing: Thing, name: str, type_: Any) -> Any:
        named = get_named_type(type_)
        if isinstance(named, GraphQLObjectType):
            return Thing(named.name, thing.identity, thing)
        return f"{name}-{thing.identity}" if name != "id" else thing.identity

    def _make(self, thing: Thing, owner: str, name: str, type_: Any, seed: int) -> Any:
        if isinstance(type_, GraphQLNonNull):
            type_ = type_.of_type
        elif seed % 7 == 0:
            return None
        if isinstance(type_, GraphQLList):
            return [self._make(thing, owner, name, type_.of_type, self.seed(seed, n)) for n in range(seed % 5)]
        if isinstance(type_, GraphQLEnumType):
            return sorted(type_.values)[seed % len(type_.values)]
        if isinstance(type_, GraphQLScalarType):
            return {"Int": seed % 1000, "Float": seed % 100 / 4, "Boolean": seed % 2 == 0}.get(
                type_.name, f"v{seed % 1000}"
            )
        return self._object(thing, owner, name, type_.name, seed)

    def _object(self, thing: Thing, owner: str, name: str, declared: str, seed: int) -> Thing | None:
        supergraph = self.supergraph
        target = self._declared_in_supergraph(owner, name, declared)
        if target == supergraph.root_types["query"]:
            return Thing(target, "", thing)
        is_entity = any(join.keys for join in supergraph.types[target].joins.values()) or any(
            join.keys for one in supergraph.possible_types[target] for join in supergraph.types[one].joins.values()
        )
        identity = str(seed % IDENTITIES) if is_entity else str(seed % 10_000)
        if supergraph.types[target].kind == "object":
            return Thing(target, identity, thing)
        allowed = self.allowed(owner, name, target)
        return Thing(self.pick(target, identity, allowed), identity, thing) if allowed else None

    def _declared_in_supergraph(self, owner: str, name: str, declared: str) -> str:
        definition = self.supergraph.types[owner].fields.get(name)
        if definition is None:
            return declared
        node: Any = definition.type
        while not hasattr(node, "name"):
            node = node.type
        return str(node.name.value)

    # --- what fields are given -------------------------------------------------------------------------------------

    def joins(self, type_name: str, name: str) -> Mapping[str, JoinField]:
        return self.supergraph.types[type_name].fields[name].joins

    def requirement(self, type_name: str, name: str) -> str | None:
        for owner in (type_name, self.owner(type_name, name)):
            for join in self.joins(owner, name).values():
                if join.requires:
                    return join.requires
        return None

    def contexts(self, type_name: str, name: str) -> tuple[ContextArgument, ...]:
        return next((join.contexts for join in self.joins(type_name, name).values() if join.contexts), ())


class Monolith:
    """The whole world behind one schema."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.schema = world.supergraph.api_schema

    def execute(self, operation: str, variables: dict[str, Any] | None = None) -> dict[str, Any] | None:
        document = parse(operation)
        assert validate(self.schema, document) == []
        root = Thing(self.world.supergraph.root_types["query"], "")
        result = execute_sync(
            self.schema,
            document,
            root_value=root,
            variable_values=variables,
            field_resolver=self._resolve,
            type_resolver=lambda thing, *_: thing.typename,
        )
        assert not result.errors, result.errors
        return result.data

    def _resolve(self, thing: Thing, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        return self.value(thing, info.field_name, info.return_type, arguments)

    def value(self, thing: Thing, name: str, type_: Any, arguments: Mapping[str, Any]) -> Any:
        world = self.world
        salt: dict[str, Any] = {"arguments": arguments}
        requirement = world.requirement(thing.typename, name)
        if requirement:
            fields = world.index.field_set(requirement, thing.typename)
            salt["required"] = self._copy(thing, fields)
        for one in world.contexts(thing.typename, name):
            salt.setdefault("contexts", {})[one.name] = self._from_context(thing, one)
        return world.value(thing, name, type_, salt)

    def _copy(self, thing: Thing, fields: Iterable[SelectedField]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for one in fields:
            if thing.typename in one.on and one.name != "__typename":
                type_ = self._type(thing.typename, one.name)
                arguments = {item.name.value: value_from_ast_untyped(item.value) for item in one.arguments}
                found[one.name] = self._copied(self.value(thing, one.name, type_, arguments), one)
        return found

    def _copied(self, value: Any, one: SelectedField) -> Any:
        if isinstance(value, list):
            return [self._copied(item, one) for item in value]
        return self._copy(value, one.fields) if isinstance(value, Thing) else value

    def _type(self, type_name: str, name: str) -> Any:
        """Return a field's type; hidden fields are not in the schema, so it is read from the supergraph."""
        return _graphql_type(self.schema, self.world.supergraph.types[type_name].fields[name].type)

    def _from_context(self, thing: Thing, argument: ContextArgument) -> Any:
        at: Thing | None = thing
        while at is not None:
            if argument.context in self.world.supergraph.contexts_of(at.typename):
                copied: Any = self._copy(at, self.world.index.field_set(argument.fields, at.typename))
                while isinstance(copied, dict):
                    copied = next(iter(copied.values()), None)
                return copied
            at = at.parent
        raise AssertionError(f"nothing sets {argument.context}")


class SubgraphServer:
    """The part of the world that one subgraph has; a transport of the gateway."""

    def __init__(self, world: World, name: str, sdl: str) -> None:
        self.world = world
        self.name = name
        text = sdl.replace(LINK, "")
        entities = re.findall(r"\b(?:type|interface) (\w+)[^{]*@key", text)
        text = re.sub(r"(?<!extend )\btype Query\b", "extend type Query", text)
        union = sorted(set(entities) - set(re.findall(r"interface (\w+)", text)))
        if union:
            text += f"\nunion _Entity = {' | '.join(union)}"
            text += "\nextend type Query { _entities(representations: [_Any!]!): [_Entity]! }"
        self.schema: GraphQLSchema = build_schema(f"{_DIRECTIVES}\ntype Query {{ _service: Int }}\n{text}")
        self.requests: list[dict[str, Any]] = []

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        body = orjson.loads(request.body)
        self.requests.append(body)
        document = parse(body["query"])
        faults = validate(self.schema, document)
        assert not faults, (self.name, body["query"], faults)
        result = execute_sync(
            self.schema,
            document,
            root_value=Thing("Query", ""),
            variable_values=body.get("variables"),
            field_resolver=self._resolve,
            type_resolver=lambda thing, *_: self._local_type(thing),
        )
        for error in result.errors or ():
            raise AssertionError((self.name, body, error.message)) from error.original_error
        return SubgraphResponse(200, "application/json", orjson.dumps({"data": result.data}))

    def subscribe(self, request: SubgraphRequest) -> Any:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass

    def _local_type(self, thing: Thing) -> str:
        """Return the type of a thing here: an interface object stands for objects whose types it does not know."""
        if thing.typename in self.schema.type_map:
            return thing.typename
        return next(name for name in self.world.index.interfaces(thing.typename) if name in self.schema.type_map)

    def _resolve(self, thing: Thing, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        if info.field_name == "_entities":
            return [self._entity(one) for one in arguments["representations"]]
        world, name = self.world, info.field_name
        here = info.parent_type.name
        join = world.joins(here, name).get(self.name)
        assert join is not None, f"{self.name} does not define {here}.{name}"
        salt: dict[str, Any] = {"arguments": dict(arguments)}
        if join.requires:
            fields = world.index.field_set(join.requires, thing.typename)
            salt["required"] = _given(thing.given, fields, thing.typename)
        for one in join.contexts:
            assert one.name in arguments, f"{here}.{name} is asked for without {one.name}"
            salt["arguments"].pop(one.name)
            salt.setdefault("contexts", {})[one.name] = arguments[one.name]
        if join.external and not (join.requires or self._may_return(here, name)):
            raise AssertionError(f"{self.name} only refers to {here}.{name}")
        return world.value(thing, name, info.return_type, salt)

    def _may_return(self, type_name: str, name: str) -> bool:
        if (type_name, name) in self.world.keys:
            return True
        return any(
            join.provides and re.search(rf"\b{name}\b", join.provides)
            for type_ in self.world.supergraph.types.values()
            for definition in type_.fields.values()
            for graph, join in definition.joins.items()
            if graph == self.name
        )

    def _entity(self, representation: dict[str, Any]) -> Thing:
        declared = representation["__typename"]
        type_ = self.world.supergraph.types[declared]
        keys = [text for text, resolvable in type_.joins[self.name].keys if resolvable]
        for text in keys:
            identity = _identity(representation, text.split()[0])
            if identity is not None:
                break
        else:
            raise AssertionError(f"{self.name} got {representation} without a key of {keys}")
        name = declared
        if type_.kind == "interface":
            name = self.world.pick(declared, identity, self.world.supergraph.possible_types[declared])
        return Thing(name, identity, None, representation)


def _identity(representation: Mapping[str, Any], name: str) -> str | None:
    value: Any = representation.get(name)
    while isinstance(value, dict):
        value = next((item for key, item in value.items() if key != "__typename"), None)
    return None if value is None else str(value).rpartition("-")[2]


def _given(value: Any, fields: Iterable[SelectedField], typename: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in fields:
        if typename in one.on and one.name != "__typename":
            assert one.name in value, f"{one.name} is required but not sent in {value}"
            found[one.name] = _given_value(value[one.name], one)
    return found


def _given_value(value: Any, one: SelectedField) -> Any:
    if isinstance(value, list):
        return [_given_value(item, one) for item in value]
    if isinstance(value, dict):
        typename = value.get("__typename") or min(one.fields[0].on)
        return _given(value, one.fields, typename)
    return value


def _graphql_type(schema: GraphQLSchema, node: Any) -> Any:
    if hasattr(node, "name"):
        return schema.type_map[node.name.value]
    inner = _graphql_type(schema, node.type)
    return GraphQLNonNull(inner) if node.kind == "non_null_type" else GraphQLList(inner)


def compose_world(subgraphs: Mapping[str, str], imports: Iterable[str] = ()) -> tuple[Composition, World | None]:
    """Compose subgraphs given as name -> SDL without link; the world is None when they do not fit."""
    link = LINK.replace("[", "[" + "".join(f'"{name}", ' for name in imports), 1)
    sources = [SubgraphSource(name, f"http://{name}.example", link + sdl) for name, sdl in subgraphs.items()]
    composition = compose(sources)
    if composition.supergraph is None:
        return composition, None
    return composition, World(parse_supergraph(composition.supergraph))


async def ask_in_parts(
    world: World, subgraphs: Mapping[str, str], operation: str, variables: dict[str, Any] | None = None
) -> list[ExecutionResult | DeferredResult]:
    """Return the first answer and the deferred parts of an operation, in the order of their delivery."""
    supergraph = world.supergraph
    plan = Planner(supergraph).plan(parse_operation(supergraph, operation, defers=(variables or {}).get))
    check_plan(plan)
    servers = {name: SubgraphServer(world, name, sdl) for name, sdl in subgraphs.items()}
    context = ExecutionContext(servers, variables or {})
    return [one async for one in run_deferred(compile_plan(plan, supergraph.api_schema), context)]


def joined(results: Iterable[ExecutionResult | DeferredResult]) -> Any:
    """Return the data of a client that adds each part to what it has, each where it was announced."""
    data: Any = None
    announced: dict[int, list[Any]] = {}
    for result in results:
        for place in result.pending:
            announced.setdefault(place.part, []).append(place.path)
        if isinstance(result, ExecutionResult):
            assert not result.errors, result.errors
            data = result.data
            continue
        assert [patch.path for patch in result.patches] == announced.pop(result.part)
        for patch in result.patches:
            assert not patch.errors, patch.errors
            at = data
            for part in patch.path:
                at = at[part]
            if isinstance(patch, StreamedItems):
                assert len(at) == patch.start
                at.extend(patch.items)
            else:
                _add(at, patch.data)
    assert announced == {}
    return data


def _add(have: Any, more: Any) -> None:
    if isinstance(have, list):
        for one, other in zip(have, more, strict=True):
            _add(one, other)
    elif isinstance(have, dict):
        for key, value in more.items():
            if isinstance(value, dict | list) and have.get(key):
                _add(have[key], value)
            else:
                have[key] = value


async def ask(
    world: World, subgraphs: Mapping[str, str], operation: str, variables: dict[str, Any] | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the gateway's answer over the subgraphs of a world, and every request that they got."""
    servers = {name: SubgraphServer(world, name, sdl) for name, sdl in subgraphs.items()}
    async with build_gateway(print_ast(world.supergraph.document), servers) as gateway:
        result = await gateway.execute(operation, variables)
    return result.to_dict(), [request for server in servers.values() for request in server.requests]
