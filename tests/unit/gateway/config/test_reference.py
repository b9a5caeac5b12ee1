"""The page about settings says what the settings are, and the commands print and check them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import settings_schema
from gateway.config.reference import reference

PAGE = Path(__file__).parents[4] / "docs" / "configuration.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == reference(), "run: crossdock config reference > docs/configuration.md"


def test_every_section_and_key_is_on_the_page_with_its_meaning():
    text = reference()
    schema = settings_schema()
    for section in (schema, *schema["$defs"].values()):
        for key, item in section["properties"].items():
            assert f"| `{key}` |" in text, key
            assert " ".join(item["description"].replace("``", "`").split()).replace("|", "\\|") in text


@pytest.mark.parametrize(
    "line",
    [
        "| `timeout` | duration | `30s` |",
        "| `port` | number, at least 0, at most 65535 | `4000` |",
        "| `mode` | `off` or `measure` or `enforce` | `off` |",
        "| `enabled` | true or false | `true` |",
        "| `subgraphs` | map of text to section | none |",
        "| `manifests` | list of path | required |",
        "## `identity.tokens.key_sets[]`",
        "## `subgraphs.<name>`",
    ],
)
def test_types_bounds_and_defaults_are_told(line):
    assert line in reference()


def call(*arguments: str | Path):
    return CliRunner().invoke(app, ["config", *map(str, arguments)])


def test_a_good_file_is_accepted_and_a_bad_one_refused_with_every_fault(tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("limits: {max_depth: 20}\n")
    bad.write_text("limits: {max_dept: 20, max_aliases: many}\n")
    accepted, refused = call("validate", good), call("validate", bad)
    assert (accepted.exit_code, refused.exit_code) == (0, 2)
    assert "limits.max_dept: unknown key" in refused.output
    assert "limits.max_aliases" in refused.output
    assert call("validate", tmp_path / "nowhere.yaml").exit_code == 2


def test_schema_and_reference_are_printed():
    assert json.loads(call("schema").output) == settings_schema()
    assert call("reference").output == reference()
