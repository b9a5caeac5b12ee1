"""What is published is what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import GraphQLSchema, parse, validate

from crossdock.published import published_supergraph, sdl_files
from crossdock.scenarios import Scenario, scenarios
from gateway.supergraph import parse_supergraph

ROOT = Path(__file__).parents[3]


def test_the_files_in_schema_are_up_to_date():
    stale = [
        name
        for name, text in sdl_files().items()
        if not (ROOT / "schema" / name).exists() or (ROOT / "schema" / name).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run 'make schema'"


def test_the_package_carries_the_supergraph():
    assert published_supergraph() == (ROOT / "schema/supergraph.graphql").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return parse_supergraph(published_supergraph()).api_schema


@pytest.mark.parametrize("shown", scenarios(), ids=lambda shown: shown.name)
def test_every_scenario_is_valid(shown: Scenario, schema: GraphQLSchema):
    assert validate(schema, parse(shown.query)) == []


@pytest.mark.parametrize("word", ["create", "update", "delete", "set"])
def test_mutations_are_cut_at_processes_and_not_at_rows(word: str, schema: GraphQLSchema):
    assert schema.mutation_type is not None
    assert [name for name in schema.mutation_type.fields if name.lower().startswith(word)] == []
