"""The command that tells what a new schema breaks, as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.composition import SubgraphSource, compose_or_raise

HEAD = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])\n'
USERS = HEAD + 'type Query { me: User } type User @key(fields: "id") { id: ID! name: String nick: String }'
POSTS = HEAD + 'type User @key(fields: "id") { id: ID! posts: [String!] }'


def supergraph(users: str = USERS, posts: str = POSTS) -> str:
    sources = [
        SubgraphSource(name=n, url=f"http://{n}.invalid", sdl=s) for n, s in (("users", users), ("posts", posts))
    ]
    return str(compose_or_raise(sources).supergraph)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "old.graphql").write_text(supergraph())
    operations = tmp_path / "operations" / "web"
    operations.mkdir(parents=True)
    (operations / "me.graphql").write_text("query Me { me { name posts } } query Nick { me { nick } }")
    (operations / "bad.gql").write_text("{ nobody }")
    return tmp_path


def call(folder: Path, new: str, *more: object, operations: str | None = "operations"):
    (folder / "new.graphql").write_text(new)
    arguments = ["check", "--supergraph", folder / "new.graphql", "--against", folder / "old.graphql", *more]
    if operations is not None:
        arguments += ["--operations", folder / operations]
    return CliRunner().invoke(app, [str(item) for item in arguments])


def test_the_same_schema_breaks_nothing(folder):
    found = call(folder, supergraph())
    assert found.exit_code == 0
    assert found.output.splitlines() == [
        "unknown   web/bad.gql: the published schema refuses it: Cannot query field 'nobody' on type 'Query'.",
        "0 breaking changes, 0 of 2 operations broken",
    ]


def test_an_operation_that_uses_what_is_gone_is_broken_and_another_is_not(folder):
    found = call(folder, supergraph(USERS.replace(" nick: String", "")))
    assert found.exit_code == 1
    assert "breaking  User.nick: the field was removed\n" in found.output
    assert "broken    web/me.graphql: Nick: User.nick: the field was removed\n" in found.output
    assert found.output.endswith("1 breaking change, 1 of 2 operations broken\n")


def test_a_breaking_change_that_nobody_uses_breaks_nobody_unless_no_operations_are_known(folder):
    (folder / "operations" / "web" / "me.graphql").write_text("{ me { name } }")
    new = supergraph(USERS.replace(" nick: String", ""))
    found = call(folder, new)
    assert found.exit_code == 0
    assert "breaking  User.nick: the field was removed (used by no operation)\n" in found.output
    alone = call(folder, new, operations=None)
    assert alone.exit_code == 1
    assert alone.output == "breaking  User.nick: the field was removed\n1 breaking change, 0 of 0 operations broken\n"


def test_a_change_in_plans_is_shown_and_breaks_nothing(folder):
    moved = supergraph(USERS.replace(" name: String", ""), POSTS.replace("posts:", "name: String posts:"))
    (folder / "operations" / "web" / "me.graphql").write_text("{ me { name nick } }")
    found = call(folder, moved)
    assert found.exit_code == 0
    assert "plan      web/me.graphql: 1 fetches, 1 deep, cost 1 -> 2 fetches, 2 deep, cost 1\n" in found.output


def test_a_change_in_cost_and_in_what_can_be_null_is_shown_and_breaks_nothing(folder):
    head = USERS.replace('["@key"]', '["@key", "@cost"]')
    found = call(folder, supergraph(head.replace("name: String", "name: String! @cost(weight: 5)")))
    assert found.exit_code == 0
    assert "plan      web/me.graphql: Me: 2 fetches, 2 deep, cost 1 -> 2 fetches, 2 deep, cost 6\n" in found.output
    assert "null      web/me.graphql: Me: me.name: String -> String!\n" in found.output
    assert "Nick" not in found.output, "what has not changed is not shown"


def test_json_has_everything(folder):
    found = call(folder, supergraph(USERS.replace(" nick: String", "")), "--format", "json")
    told = json.loads(found.output)
    assert (told["ok"], found.exit_code) == (False, 1)
    assert told["breaking"] == [{"coordinate": "User.nick", "change": "the field was removed", "used": True}]
    assert [(item["operation"], item["status"]) for item in told["operations"]] == [
        ("web/bad.gql", "unknown"),
        ("web/me.graphql: Me", "ok"),
        ("web/me.graphql: Nick", "broken"),
    ]
    effort = {"fetches": 2, "depth": 2, "cost": 1}
    assert told["operations"][1]["plan"] == {"old": effort, "new": effort}
    assert told["operations"][2]["plan"] == {"old": {"fetches": 1, "depth": 1, "cost": 1}, "new": None}
    assert [item["nullability"] for item in told["operations"]] == [[], [], []]


def test_a_manifest_of_persisted_documents_is_a_recording(folder):
    (folder / "manifest.json").write_text(json.dumps({"abc": "{ me { nick } }"}))
    found = call(folder, supergraph(USERS.replace(" nick: String", "")), operations="manifest.json")
    assert (found.exit_code, "broken    abc: User.nick" in found.output) == (1, True)


def test_subgraphs_are_composed_first(folder):
    def check(posts: str):
        entries = [{"name": "users", "sdl": USERS}, {"name": "posts", "sdl": posts}]
        (folder / "subgraphs.json").write_text(json.dumps(entries))
        arguments = ["--subgraphs", folder / "subgraphs.json", "--against", folder / "old.graphql"]
        return CliRunner().invoke(app, ["check", *map(str, arguments)])

    assert check(POSTS).exit_code == 0
    refused = check(POSTS.replace("posts: [String!]", "posts: Nothing"))
    assert (refused.exit_code, "Nothing" in refused.output) == (1, True)


@pytest.mark.parametrize(
    ("more", "operations", "said"),
    [
        (["--format", "xml"], "operations", "accepted: text, json"),
        (["--subgraphs", "x"], "operations", "either --supergraph or --subgraphs"),
        ([], "nowhere", "cannot be read"),
        ([], "old.graphql", "not valid JSON"),
        ([], "empty", "there is no operation"),
    ],
    ids=["the format", "two schemas", "no folder", "no manifest", "an empty folder"],
)
def test_an_input_that_cannot_be_used_is_told_with_exit_code_2(folder, more, operations, said):
    (folder / "empty").mkdir()
    found = call(folder, supergraph(), *more, operations=operations)
    assert (found.exit_code, said in found.output) == (2, True)
    assert call(folder, "type Query { a: Int }").exit_code == 2
