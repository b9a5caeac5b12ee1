"""Random small federated graphs and random operations on them, reproducible from a number.

The graphs use what real ones use: entities with one or several keys, value types, shared fields, requirements (also of
nested and abstract fields), provided fields, overrides, interfaces, unions, interface objects, contexts, fields that
return the query type. They mostly compose; those that do not are for the caller to leave out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

MAX_DEPTH = 4
MAX_FIELDS = 5


@dataclass
class _Part:
    """What one subgraph says about one type."""

    head: str
    fields: dict[str, str] = field(default_factory=dict)


class RandomGraph:
    """SDL of random subgraphs, without the federation link; ``nested_roots`` lets fields return the query type."""

    def __init__(self, random: Random, *, nested_roots: bool = True) -> None:
        self._random = random
        self._nested_roots = nested_roots
        self._names = [f"s{number}" for number in range(random.randint(2, 4))]
        self._parts: dict[str, dict[str, _Part]] = {name: {} for name in self._names}
        self._entities = [f"E{number}" for number in range(random.randint(2, 4))]
        self._values = [f"V{number}" for number in range(random.randint(0, 2))]
        self._homes: dict[str, list[str]] = {}
        self._keys: dict[str, dict[str, list[str]]] = {}
        self._build()

    def subgraphs(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, parts in self._parts.items():
            lines = []
            for part in parts.values():
                body = " ".join(f"{one}{rest}" for one, rest in part.fields.items())
                lines.append(f"{part.head} {{ {body} }}" if body else part.head)
            found[name] = "\n".join(lines)
        return {name: sdl for name, sdl in found.items() if sdl}

    # --- building --------------------------------------------------------------------------------------------------

    def _chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent

    def _some(self, names: list[str], least: int = 1) -> list[str]:
        return sorted(self._random.sample(names, self._random.randint(min(least, len(names)), len(names))))

    def _build(self) -> None:
        for value in self._values:
            homes = self._homes[value] = self._some(self._names)
            fields = {name: self._leaf() for name in ("va", "vb", "vc")[: self._random.randint(1, 3)]}
            for home in homes:
                self._parts[home][value] = _Part(f"type {value} @shareable", dict(fields))
        for entity in self._entities:
            self._add_entity(entity)
        interface = self._add_interface() if self._chance(60) else None
        union = self._add_union() if self._chance(50) else None
        for entity in self._entities:
            self._add_fields(entity, interface, union)
        for entity in self._entities:
            self._add_provision(entity)
        for entity in self._entities:
            self._add_requirements(entity)
        if self._chance(30):
            self._add_context()
        self._add_roots(interface, union)

    def _add_entity(self, entity: str) -> None:
        homes = self._homes[entity] = self._some(self._names, 2)
        keys: dict[str, list[str]] = {}
        style = self._random.choice(["id", "id", "id", "chain", "composite", "nested"])
        for number, home in enumerate(homes):
            if style == "chain":
                own = [f"k{max(number - 1, 0)}"] if number == 0 else [f"k{number - 1}", f"k{number}"]
            elif style == "composite":
                own = ["id k0"] if number else ["id k0", "id"]
            elif style == "nested":
                own = ["ref { id }"] if number else ["id", "ref { id }"]
            else:
                own = ["id"]
            keys[home] = own
            words = " ".join(own)
            fields = {name: ": ID!" for name in ("id", "k0", "k1", "k2", "k3") if name in words.split()}
            if "ref" in words:
                fields = {"ref": ": Ref!", **({"id": ": ID!"} if "id" in own else {})}
                self._parts[home].setdefault("Ref", _Part("type Ref @shareable", {"id": ": ID!"}))
            head = f"type {entity} " + " ".join(f'@key(fields: "{key}")' for key in own)
            self._parts[home][entity] = _Part(head, fields)
        self._keys[entity] = keys

    def _add_interface(self) -> str | None:
        """Add an interface over entities with the key id, sometimes with an interface object in another subgraph."""
        plain = [entity for entity in self._entities if all(keys == ["id"] for keys in self._keys[entity].values())]
        common = [name for name in self._names if plain and all(name in self._homes[one] for one in plain)]
        if not plain or not common:
            return None
        home = self._random.choice(common)
        has_object = self._chance(50)
        head = 'interface I @key(fields: "id")' if has_object else "interface I"
        self._parts[home]["I"] = _Part(head, {"id": ": ID!"})
        for entity in plain:
            part = self._parts[home][entity]
            part.head = part.head.replace(f"type {entity}", f"type {entity} implements I")
        if has_object:
            others = [name for name in self._names if not any(entity in self._parts[name] for entity in plain)]
            for other in others[:1]:
                part = _Part('type I @interfaceObject @key(fields: "id")', {"id": ": ID!"})
                part.fields |= {"added": self._leaf(), "more": ": [I!]"}
                self._parts[other]["I"] = part
                self._homes["I"] = [home, other]
        self._homes.setdefault("I", [home])
        return "I"

    def _add_union(self) -> str | None:
        members = self._some([*self._entities, *self._values], 2)
        homes = [name for name in self._names if all(one in self._parts[name] for one in members)]
        if len(members) < 2 or not homes:
            return None
        home = self._random.choice(homes)
        self._parts[home]["U"] = _Part(f"union U = {' | '.join(members)}")
        self._homes["U"] = [home]
        return "U"

    def _leaf(self) -> str:
        return self._random.choice([": Int", ": String!", ": [Int!]", "(x: Int): Int", ": Boolean", ": [[String]!]!"])

    def _composite(self, home: str, names: list[str]) -> str | None:
        known = [name for name in names if name in self._parts[home]]
        if not known:
            return None
        target = self._random.choice(known)
        return self._random.choice([": {}", ": {}!", ": [{}!]!", ": [{}]", "(x: Int): {}"]).format(target)

    def _targets(self, interface: str | None, union: str | None) -> list[str]:
        return [*self._entities, *self._values, *filter(None, (interface, union))]

    def _add_fields(self, entity: str, interface: str | None, union: str | None) -> None:
        for number in range(self._random.randint(1, 4)):
            name = f"{entity.lower()}f{number}"
            homes = self._homes[entity]
            home = self._random.choice(homes)
            if self._chance(50):
                self._share(entity, name, self._leaf(), home)
                continue
            type_ = self._composite(home, self._targets(interface, union))
            if type_ is not None:
                self._parts[home][entity].fields[name] = type_
        if self._nested_roots and self._chance(20):
            self._parts[self._random.choice(self._homes[entity])].setdefault("Query", _Part("type Query"))
            home = next(name for name in self._homes[entity] if "Query" in self._parts[name] or name)
            if "Query" in self._parts[home]:
                self._parts[home][entity].fields["root"] = ": Query!"

    def _share(self, entity: str, name: str, type_: str, home: str) -> None:
        others = [one for one in self._homes[entity] if one != home]
        fields = self._parts[home][entity].fields
        if others and self._chance(30):
            self._parts[self._random.choice(others)][entity].fields[name] = f"{type_} @shareable"
            fields[name] = f"{type_} @shareable"
        elif others and self._chance(20):
            other = self._random.choice(others)
            self._parts[other][entity].fields[name] = type_
            label = ', label: "percent(0)"' if self._chance(40) else ""
            fields[name] = f'{type_} @override(from: "{other}"{label})'
        else:
            fields[name] = type_

    def _add_provision(self, entity: str) -> None:
        """Let a field that leads to an entity provide a leaf of it that another subgraph owns."""
        for home in self._homes[entity]:
            fields = self._parts[home][entity].fields
            leading = sorted(
                name
                for name, type_ in fields.items()
                if "@" not in type_ and "(" not in type_ and type_.strip(":[]! ") in self._entities
            )
            if not leading or not self._chance(30):
                continue
            name = self._random.choice(leading)
            target = fields[name].strip(":[]! ")
            owner = self._random.choice(self._homes[target])
            for leaf, type_ in sorted(self._parts[owner][target].fields.items()):
                is_plain = (
                    "@" not in type_ and "(" not in type_ and type_.strip(":[]! ") in {"Int", "String", "Boolean"}
                )
                if is_plain and leaf.startswith("e") and leaf not in self._parts[home][target].fields:
                    self._parts[owner][target].fields[leaf] = f"{type_} @shareable"
                    self._parts[home][target].fields[leaf] = f"{type_} @external"
                    fields[name] += f' @provides(fields: "{leaf}")'
                    break

    def _add_context(self) -> None:
        """Let an entity set a context that objects below it read, in lists and below themselves."""
        setter = self._random.choice(self._entities)
        home = self._random.choice(self._homes[setter])
        part = self._parts[home][setter]
        part.head += ' @context(name: "near")'
        part.fields["level"] = ": Int"
        part.fields["readers"] = ": [Reader!]!"
        reads = 'cost(x: Int, level: Int @fromContext(field: "$near { level }"))'
        fields = {"id": ": ID!", "next": ": Reader", reads: ": Int"}
        self._parts[home]["Reader"] = _Part('type Reader @key(fields: "id")', fields)
        for other in self._names:
            if other != home and self._chance(40):
                more = {"id": ": ID!", "weight": ": Int @shareable", "twin": ": [Reader!] @shareable"}
                self._parts[other]["Reader"] = _Part('type Reader @key(fields: "id")', more)

    def _add_requirements(self, entity: str) -> None:
        homes = self._homes[entity]
        if len(homes) < 2 or not self._chance(60):
            return
        owner, reader = self._random.sample(homes, 2)
        plain = {
            name: type_
            for name, type_ in self._parts[owner][entity].fields.items()
            if name.startswith("e")
            and "@" not in type_
            and "(" not in type_
            and name not in self._parts[reader][entity].fields
        }
        wanted: list[str] = []
        for name in sorted(plain)[: self._random.randint(1, 2)]:
            selection = self._selection_of(plain[name], owner, reader)
            if selection is not None:
                wanted.append(f"{name}{selection}")
                self._parts[reader][entity].fields[name] = f"{plain[name]} @external"
        if wanted:
            text = " ".join(wanted)
            self._parts[reader][entity].fields[f"{entity.lower()}r"] = f': Int @requires(fields: "{text}")'

    def _selection_of(self, type_: str, owner: str, reader: str) -> str | None:
        """Return what is required below a field, None when the reader does not know its type."""
        name = type_.strip(":[]! ")
        if name in {"Int", "String", "Boolean", "ID"}:
            return ""
        known = self._parts[reader].get(name)
        if known is None or name in {"U", "I"} or not (set(known.fields) & {"id", "va"}):
            return None
        chosen = "id" if "id" in known.fields else "va"
        return None if "(" in known.fields[chosen] else f" {{ {chosen} }}"

    def _add_roots(self, interface: str | None, union: str | None) -> None:
        for number, name in enumerate(self._names):
            part = self._parts[name].setdefault("Query", _Part("type Query"))
            for index in range(self._random.randint(1, 3)):
                type_ = self._composite(name, self._targets(interface, union)) or self._leaf()
                part.fields[f"q{number}{index}"] = type_
            if self._nested_roots and self._chance(15):
                part.fields[f"again{number}"] = ": Query!"
        shared = [name for name in self._names if self._values and self._values[0] in self._parts[name]]
        if len(shared) > 1 and self._chance(40):
            for name in shared:
                self._parts[name]["Query"].fields["common"] = f": {self._values[0]} @shareable"


class RandomOperation:
    """The text of a random query on a schema, with deferred fragments and streamed lists on request.

    It is valid but for fields of one response key that may conflict.
    """

    def __init__(self, random: Random, schema: GraphQLSchema, *, defers: bool = False, streams: bool = False) -> None:
        self._random = random
        self._defers = defers
        self._streams = streams
        self._schema = schema
        self._uses_flag = False

    def text(self) -> str:
        assert self._schema.query_type is not None
        body = self._selection(self._schema.query_type, MAX_DEPTH)
        head = "query($flag: Boolean = true) " if self._uses_flag else ""
        return f"{head}{body}"

    def _selection(self, type_: GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType, depth: int) -> str:
        parts = list(self._parts(type_, depth)) or ["__typename"]
        if self._defers and self._random.randrange(3) == 0:
            first = self._random.randrange(len(parts))
            parts[first:] = [f"... @defer {{ {' '.join(parts[first:])} }}"]
        return "{ " + " ".join(parts) + " }"

    def _parts(self, type_: GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType, depth: int) -> Iterator[str]:
        if self._random.randrange(6) == 0:
            yield "__typename"
        if not isinstance(type_, GraphQLUnionType):
            names = sorted(type_.fields)
            for name in self._random.sample(names, min(len(names), self._random.randint(1, MAX_FIELDS))):
                text = self._field(name, type_.fields[name], depth)
                if text is not None:
                    yield text
        if not isinstance(type_, GraphQLObjectType):
            for possible in self._schema.get_possible_types(type_):
                if self._random.randrange(3):
                    yield f"... on {possible.name} {self._selection(possible, depth)}"

    def _field(self, name: str, definition: GraphQLField, depth: int) -> str | None:
        target = get_named_type(definition.type)
        is_composite = isinstance(target, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)
        if is_composite and depth == 0:
            return None
        arguments = ", ".join(self._argument(one, value) for one, value in definition.args.items())
        if arguments:
            alias = f"{name}_{self._random.randrange(100)}_{depth}: "
            arguments = f"({arguments})"
        else:
            alias = ""
        text = f"{alias}{name}{arguments}"
        if self._random.randrange(12) == 0:
            self._uses_flag = True
            text += self._random.choice([" @include(if: $flag)", " @skip(if: $flag)"])
        if self._streams and is_list_type(get_nullable_type(definition.type)) and self._random.randrange(3):
            text += f" @stream(initialCount: {self._random.randrange(3)})"
        return f"{text} {self._selection(target, depth - 1)}" if is_composite else text

    def _argument(self, name: str, argument: GraphQLArgument) -> str:
        number = self._random.randrange(4)
        return f'{name}: "{number}"' if get_named_type(argument.type).name == "String" else f"{name}: {number}"
