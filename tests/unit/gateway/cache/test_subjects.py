"""What an answer is about: every entity in it, or some entity of its type, and never less."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import parse

from gateway.cache.directives import CacheDirectives
from gateway.cache.selections import SelectionReader
from gateway.cache.subjects import TagFormat, compile_subject
from gateway.cache.tags import MAX_TAGS, About, canonical_key, entity_words, type_word
from gateway.composition import SubgraphSource, compose_or_raise
from gateway.supergraph import parse_supergraph

LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.12", '
    'import: ["@key", "@shareable", "@interfaceObject", "@cacheTag"])\n'
)
A = f"""{LINK}
type Query {{ order: Order node: Node nodes: [Node] media: Media plain: Plain search: [Result] }}
type Order @key(fields: "id") @key(fields: "number site {{ code }}") @cacheTag(format: "order-{{$key.id}}") {{
  id: ID! number: Int! site: Site! lines: [[Line!]!] echo(text: String): String total: Int
}}
type Site @shareable {{ code: String! }}
type Line @key(fields: "id") {{ id: ID! }}
interface Node {{ id: ID! }}
type User implements Node @key(fields: "id") {{ id: ID! }}
type Thing implements Node {{ id: ID! order: Order }}
interface Media @key(fields: "id") {{ id: ID! }}
type Book implements Media @key(fields: "id") {{ id: ID! }}
type Plain {{ text: String }}
union Result = Order | Plain
"""
B = f'{LINK}\ntype Media @interfaceObject @key(fields: "id") {{ id: ID! stars: Int }}\ntype Query {{ best: Media }}\n'


def about(selection: str, data: Any, subgraph: str = "a") -> About:
    sources = [SubgraphSource(name=name, url="http://x", sdl=sdl) for name, sdl in (("a", A), ("b", B))]
    supergraph = parse_supergraph(str(compose_or_raise(sources).supergraph))
    reader = SelectionReader(supergraph)
    selected = reader.read(parse(selection), "Query")
    subject = compile_subject(selected, reader, CacheDirectives(supergraph), subgraph)
    found = About()
    if subject is not None:
        subject.note(data, found)
    return found


def key(**values: Any) -> str:
    return canonical_key(values)


ID = ("Order", key(id="1"))
NUMBER = ("Order", key(number=7, site={"code": "x"}))


@pytest.mark.parametrize(
    ("selection", "data", "entities", "some", "unknown"),
    [
        pytest.param(
            "{ order { id number site { code } } }",
            {"order": {"id": "1", "number": 7, "site": {"code": "x"}}},
            {ID, NUMBER},
            set(),
            set(),
            id="all keys are known",
        ),
        pytest.param("{ order { id } }", {"order": {"id": "1"}}, {ID}, {"Order"}, set(), id="one of two keys is known"),
        pytest.param("{ order { total } }", {"order": {"total": 1}}, set(), {"Order"}, {"Order"}, id="no key is known"),
        pytest.param("{ order { id } }", {"order": None}, set(), set(), set(), id="there is no entity"),
        pytest.param(
            "{ o: order { key: id } }", {"o": {"key": "1"}}, {ID}, {"Order"}, set(), id="fields have other names here"
        ),
        pytest.param(
            '{ order { id: echo(text: "2") n: id } }',
            {"order": {"id": "2", "n": "1"}},
            {ID},
            {"Order"},
            set(),
            id="another field has the name of a key",
        ),
        pytest.param(
            "{ order { id } }", {"order": {"id": 1}}, {ID}, {"Order"}, set(), id="a number is as good as text"
        ),
        pytest.param(
            "{ order { ...F } } fragment F on Order { ... on Order { id } }",
            {"order": {"id": "1"}},
            {ID},
            {"Order"},
            set(),
            id="in fragments",
        ),
        pytest.param(
            "{ order { lines { id } } }",
            {"order": {"lines": [[{"id": "1"}], [{"id": "2"}, None]]}},
            {("Line", key(id="1")), ("Line", key(id="2"))},
            {"Order"},
            {"Order"},
            id="in lists of lists",
        ),
        pytest.param(
            "{ nodes { __typename id ... on Thing { order { id } } } }",
            {
                "nodes": [
                    {"__typename": "User", "id": "5"},
                    {"__typename": "Thing", "id": "6", "order": {"id": "1"}},
                ]
            },
            {("User", key(id="5")), ID},
            {"Order"},
            set(),
            id="behind an interface, by the type of the object",
        ),
        pytest.param(
            "{ node { id ... on Thing { order { id } } } }",
            {"node": {"id": "5", "order": {"id": "1"}}},
            {ID},
            {"Order", "User"},
            {"User"},
            id="the type of the object is not told",
        ),
        pytest.param(
            "{ media { __typename id } }",
            {"media": {"__typename": "Book", "id": "1"}},
            {("Book", key(id="1")), ("Media", key(id="1"))},
            set(),
            set(),
            id="an entity is known by its interface too",
        ),
        pytest.param(
            "{ search { __typename ... on Order { id } ... on Plain { text } } }",
            {"search": [{"__typename": "Plain", "text": "x"}, {"__typename": "Order", "id": "1"}]},
            {ID},
            {"Order"},
            set(),
            id="behind a union",
        ),
        pytest.param("{ plain { text } }", {"plain": {"text": "x"}}, set(), set(), set(), id="what is no entity"),
    ],
)
def test_entities_are_found_wherever_they_are(selection, data, entities, some, unknown):
    found = about(selection, data)
    assert (found.entities, found.some, found.unknown) == (entities, some, unknown)


def test_an_interface_object_is_known_by_the_name_of_the_interface():
    found = about("{ best { __typename id stars } }", {"best": {"__typename": "Media", "id": "1", "stars": 5}}, "b")
    assert found.entities == {("Media", key(id="1"))}


def test_what_knows_an_entity_by_one_key_goes_when_it_is_invalidated_by_another():
    kept = set(about("{ order { id } }", {"order": {"id": "1"}}).words())
    data = {"order": {"number": 7, "site": {"code": "x"}}}
    changed = about("{ order { number site { code } } }", data).touched()
    assert not kept.isdisjoint(changed)


def test_tags_are_filled_in_from_keys_of_their_own_subgraph():
    assert about("{ order { id } }", {"order": {"id": "1"}}).tags == {"order-1"}
    assert about("{ order { id } }", {"order": {"id": "1"}}, "b").tags == set()
    assert about("{ order { total } }", {"order": {"total": 1}}).has_any_tag


def test_an_answer_about_too_many_entities_goes_with_any_of_their_types():
    lines = [{"id": str(number)} for number in range(MAX_TAGS + 1)]
    found = about("{ order { id lines { id } } }", {"order": {"id": "1", "lines": [lines]}})
    words = set(found.words())
    assert len(words) < 10
    assert not words.isdisjoint(entity_words("Line", key(id="3")))
    assert not words.isdisjoint(entity_words("Line", key(id="another")))


def test_a_mutation_that_touches_very_many_entities_invalidates_their_types():
    found = About()
    for number in range(1000):
        found.add_entity(["Line"], [key(id=number)], is_whole=True)
    assert found.touched() == (type_word("Line"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fixed", "fixed"),
        ("o-{$key.id}", "o-1"),
        ("{$key.id}{$key.site.code}", "1x"),
        ("o-{$key.flag}", "o-true"),
        ("o-{$key.missing}", None),
        ("o-{$key.site}", None),
        ("o-{$args.id}", None),
        ("o-{ $key.id }", "o-1"),
        ("o}-{$key.id}", "o}-1"),
    ],
)
def test_the_places_of_a_format_are_filled_in(text, expected):
    assert TagFormat(text).fill("key", {"id": 1, "site": {"code": "x"}, "flag": True}) == expected
