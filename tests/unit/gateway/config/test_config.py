from __future__ import annotations

import json

import pytest

from gateway.config import GatewaySettings, load_settings, settings_from, settings_schema
from gateway.config.server import is_loopback
from gateway.errors import ConfigError


def test_without_anything_the_defaults_are_safe():
    settings = settings_from({})
    assert settings.server.host == "127.0.0.1"
    assert settings.identity.development_identity is None
    assert settings.headers.propagate == ()


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("5s", 5), ("1.5m", 90), ("2h", 7200), (" 3s ", 3)])
def test_durations_have_a_unit(text, seconds):
    assert settings_from({"traffic": {"timeout": text}}).traffic.timeout == seconds


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sever": {}}, "sever: unknown key; did you mean server? accepted here: "),
        ({"server": {"prt": 1}}, "server.prt: unknown key; did you mean port? accepted here: client_name_headers"),
        ({"server": None}, "server: a section of keys is expected; to keep all defaults leave it out"),
        ({"server": {"port": "http"}}, "server.port: a whole number is expected, without a unit"),
        ({"server": {"graphiql": "maybe"}}, "server.graphiql: true or false is expected"),
        ({"server": {"host": 1}}, "server.host: a text is expected; put it in quotes"),
        ({"server": {"host": "${HOST"}}, "server.host: a reference to the environment must be ${NAME} or ${NAME:-def"),
        ({"server": {"tls": {"certificate": "a"}}}, "server.tls.key: is needed, and has no default"),
        ({"server": {"response_headers": {"a b": "c"}}}, "server.response_headers.a b: 'a b' is no name of a header"),
        ({"demand": {"mode": "enforced"}}, "demand.mode: must be 'off', 'measure' or 'enforce'"),
        ({"cors": {"origins": "*"}}, "cors.origins: a list is expected"),
        ({"subgraphs": {"a": {"url": "localhost:1"}}}, "subgraphs.a.url: must begin with http:// or https://"),
        ({"callback": {"public_url": "http://a", "path": "a?"}}, "callback.path: must"),
        ({"subgraphs": {"a": {"x": 1}}}, "subgraphs.a.x: unknown key; accepted here: health, subscriptions"),
        ({"server": {"examples": [{"title": "t", "query": "q", "y": 1}]}}, "server.examples.0.y: unknown key"),
        ({"traffic": {"timeout": "5"}}, 'traffic.timeout: a duration with its unit is expected, such as "500ms", "5s"'),
        ({"traffic": {"timeout": 5}}, "traffic.timeout: a duration with its unit is expected"),
        ({"traffic": {"timeout": "0s"}}, "traffic.timeout: a duration"),
        ({"traffic": {"timeout": True}}, "traffic.timeout: a duration"),
        ({"server": {"port": 70000}}, "server.port: must be at most 65535"),
        ({"server": {"path": "graphql"}}, "server.path: must begin with /, and have neither ? nor #"),
        (
            {"cors": {"origins": ["shop.example"]}},
            "cors.origins.0: must be * or an origin such as https://shop.example",
        ),
        ({"cors": {"origins": ["https://shop.example/"]}}, "cors.origins.0: must be * or an origin"),
        ({"limits": {"max_request_bytes": 1}}, "limits.max_request_bytes: must be at least 1024"),
        (
            {"server": {"host": "0.0.0.0"}, "identity": {"development_identity": {"subject": "me"}}},
            "identity.development_identity signs everybody in, so server.host must be a loopback address",
        ),
    ],
)
def test_a_fault_names_its_key_and_what_is_accepted(values, message):
    with pytest.raises(ConfigError) as caught:
        settings_from(values)
    assert message in caught.value.message


def test_a_fault_that_follows_from_another_one_is_left_out():
    with pytest.raises(ConfigError) as caught:
        settings_from({"cors": {"origins": ["shop.example"]}})
    assert len(caught.value.message.splitlines()) == 2


def test_what_a_key_holds_is_not_repeated():
    with pytest.raises(ConfigError) as caught:
        settings_from({"server": {"port": "${TOKEN}", "path": "${TOKEN}"}}, {"TOKEN": "secret"})
    assert "secret" not in caught.value.message


def test_all_faults_are_named_at_once():
    with pytest.raises(ConfigError) as caught:
        settings_from({"a": 1, "traffic": {"timeout": 0, "b": 2}})
    assert len(caught.value.message.splitlines()) == 4


def test_the_environment_fills_in_values():
    values = {"subgraphs": {"a": {"url": "http://${HOST}:${PORT:-4000}/graphql"}}}
    assert settings_from(values, {"HOST": "shop"}).subgraphs["a"].url == "http://shop:4000/graphql"
    with pytest.raises(ConfigError, match=r"subgraphs\.a\.url: the environment variable HOST is not set"):
        settings_from(values, {})
    values["subgraphs"]["b"] = {"url": "${OTHER}"}
    with pytest.raises(ConfigError) as caught:
        settings_from(values, {})
    assert [line.partition(" variable ")[2].split()[0] for line in caught.value.message.splitlines()[1:]] == [
        "HOST",
        "OTHER",
    ]


def test_settings_come_from_yaml_or_json(tmp_path):
    path = tmp_path / "crossdock.yaml"
    path.write_text("traffic:\n  timeout: 2s\n")
    assert load_settings(path).traffic.timeout == 2
    path.write_text(json.dumps({"traffic": {"timeout": "3s"}}))
    assert load_settings(path).traffic.timeout == 3
    path.write_text("")
    assert load_settings(path) == GatewaySettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("server: {port: 1}\nserver: {port: 2}", "the key server is there twice", id="a section twice"),
        pytest.param("server:\n  port: 1\n  port: 2", "the key port is there twice", id="a key twice"),
        pytest.param("subgraphs: &a {x: *a}", "*a refers to itself", id="a value within itself"),
        pytest.param("serve: {}", "the settings are not accepted:", id="an unknown section"),
        pytest.param("server: {host: '${NOWHERE}'}", "server.host: the environment variable", id="a missing variable"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_name(tmp_path, text, message):
    path = tmp_path / "crossdock.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert message in caught.value.message


def test_values_may_be_shared_within_a_file(tmp_path):
    path = tmp_path / "crossdock.yaml"
    path.write_text("subgraphs: {a: &a {url: 'http://a'}, b: *a, c: {<<: *a, timeout: 1s}}")
    found = load_settings(path).subgraphs
    assert [found[name].url for name in "abc"] == ["http://a"] * 3


@pytest.mark.parametrize("text", ["[1]", "a: [", "\x00"])
def test_a_file_that_is_no_mapping_is_refused_with_its_name(tmp_path, text):
    path = tmp_path / "crossdock.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"crossdock\.yaml"):
        load_settings(path)


def test_a_missing_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        load_settings(tmp_path / "nowhere.yaml")


def test_every_setting_is_described_in_the_schema():
    schema = settings_schema()
    for name, section in {"GatewaySettings": schema, **schema["$defs"]}.items():
        assert section["additionalProperties"] is False
        for key, item in section["properties"].items():
            assert item.get("description"), f"{name}.{key}"


def test_settings_cannot_be_changed_and_survive_being_dumped():
    settings = settings_from({"traffic": {"timeout": "2m"}})
    with pytest.raises(Exception, match="frozen"):
        settings.traffic.timeout = 3
    assert settings_from(settings.model_dump()) == settings


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("example.com", False)],
)
def test_loopback_is_known(host, expected):
    assert is_loopback(host) is expected
