"""The commands as they are called: real processes, exit codes, output."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.composition import SubgraphSource, compose_or_raise
from tests.support.certificates import Authority
from tests.support.testkit import TestSubgraphs

SHOP = TestSubgraphs.shop()


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    entries = []
    for name, sdl in SHOP.sdl.items():
        (tmp_path / f"{name}.graphql").write_text(sdl)
        entries.append({"name": name, "url": f"http://127.0.0.1:9/{name}", "sdl_file": f"{name}.graphql"})
    (tmp_path / "subgraphs.json").write_text(json.dumps(entries))
    (tmp_path / "supergraph.graphql").write_text(
        SHOP.compose({name: f"http://127.0.0.1:9/{name}" for name in SHOP.sdl})
    )
    (tmp_path / "query.graphql").write_text("query Me { me { name reviews { body } } }")
    return tmp_path


def test_compose_prints_a_supergraph_for_tools_and_people(graph):
    as_json = call("compose", "--subgraphs", graph / "subgraphs.json", "--format", "json")
    assert as_json.returncode == 0, as_json.stderr
    found = json.loads(as_json.stdout)
    assert found.keys() == {"ok", "errors", "hints", "supergraph", "api_schema"}
    assert found["ok"] is True
    as_text = call("compose", "--subgraphs", graph / "subgraphs.json")
    assert as_text.returncode == 0
    assert as_text.stdout.strip() == found["supergraph"].strip()


def test_compose_reads_yaml_with_the_sdl_inside(tmp_path):
    path = tmp_path / "subgraphs.yaml"
    path.write_text("- name: a\n  url: http://a\n  sdl: 'type Query { a: Int }'\n")
    assert call("compose", "--subgraphs", path).returncode == 0


def test_compose_refuses_with_exit_code_1_and_every_problem(tmp_path):
    path = tmp_path / "subgraphs.json"
    sources = [("a", "type Query { a: Int x: Int }"), ("b", "type Query { b: Int x: Int y: Nothing }")]
    path.write_text(json.dumps([{"name": name, "url": "", "sdl": sdl} for name, sdl in sources]))
    found = call("compose", "--subgraphs", path, "--format", "json")
    assert found.returncode == 1
    assert json.loads(found.stdout)["errors"]
    assert call("compose", "--subgraphs", path).returncode == 1


@pytest.mark.parametrize("content", ["{}", "[{}]", "[1", '[{"name": "a"}]', '[{"name": "a", "sdl_file": "no"}]'])
def test_compose_ends_with_exit_code_2_when_the_list_cannot_be_used(tmp_path, content):
    path = tmp_path / "subgraphs.json"
    path.write_text(content)
    found = call("compose", "--subgraphs", path)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    assert str(tmp_path) in found.stderr


@pytest.mark.parametrize("stage", ["normalize", "graph", "paths", "fetch-graph", "plan", "projection"])
def test_plan_prints_every_stage(graph, stage):
    found = call(
        "plan", "--supergraph", graph / "supergraph.graphql", "--operation", graph / "query.graphql", "--stage", stage
    )
    assert found.returncode == 0, found.stderr
    assert "reviews" in found.stdout


@pytest.mark.parametrize(("stage", "line"), [("graph", "[label="), ("fetch-graph", "0 -> 1;")])
def test_plan_draws_graphs(graph, stage, line):
    options = ["--supergraph", graph / "supergraph.graphql", "--operation", graph / "query.graphql"]
    found = call("plan", *options, "--stage", stage, "--format", "dot")
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("digraph")
    assert line in found.stdout


def test_plan_shows_what_is_deferred(graph):
    (graph / "query.graphql").write_text("query($l: Boolean!) { me { name ... @defer(if: $l) { reviews { body } } } }")
    found = call("plan", "--supergraph", graph / "supergraph.graphql", "--operation", graph / "query.graphql")
    assert found.returncode == 0, found.stderr
    assert "Defer {" in found.stdout


def test_plan_prints_json(graph):
    options = ["--supergraph", graph / "supergraph.graphql", "--operation", graph / "query.graphql"]
    found = call("plan", *options, "--format", "json")
    assert json.loads(found.stdout)["kind"] == "QueryPlan"


@pytest.mark.parametrize(
    "more",
    [["--stage", "x"], ["--format", "x"], ["--stage", "paths", "--format", "dot"], ["--operation-name", "Nobody"]],
    ids=["stage", "format", "format of the stage", "name"],
)
def test_plan_ends_with_exit_code_2_for_what_it_does_not_know(graph, more):
    options = ["--supergraph", graph / "supergraph.graphql", "--operation", graph / "query.graphql"]
    found = call("plan", *options, *more)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either --supergraph or --subgraphs"),
        (["--supergraph", "nowhere.graphql"], "nowhere.graphql: No such file"),
        (["--supergraph", "subgraph.graphql"], "has no enum join__Graph"),
        (["--supergraph", "broken.graphql"], "the supergraph is not valid GraphQL (line 1"),
        (["--supergraph", "good.graphql", "--config", "bad.yaml"], "unknown key"),
        (["--supergraph", "good.graphql", "--config", "unknown.yaml"], "headers.subgraphs.other: the supergraph"),
        (
            ["--supergraph", "good.graphql", "--config", "tls.yaml"],
            "tls.certificate: nowhere.crt cannot be read",
        ),
        (["--supergraph", "good.graphql", "--config", "ca.yaml"], "subgraphs.a.tls.ca: nowhere.pem cannot be read"),
        (
            ["--supergraph", "good.graphql", "--config", "closed.yaml"],
            "extension Closed cannot be opened: OSError: no key",
        ),
        (["--supergraph", "good.graphql", "--config", "closed-2.yaml"], "extension Closed cannot be opened"),
        (["--supergraph", "no-url.graphql"], "an http or https address is needed"),
        (["--subgraphs", "bad.json"], "the subgraphs do not compose"),
        (["--subgraphs", "typo.json"], "subgraph a has the unknown key uri; accepted: name, sdl, sdl_file, url"),
        (["--subgraphs", "no-sdl.json"], "ask it for {_service{sdl}}"),
    ],
)
def test_a_gateway_that_cannot_start_says_why_with_exit_code_2(tmp_path, arguments, message):
    good = compose_or_raise([SubgraphSource(name="a", url="http://a", sdl="type Query { a: Int }")]).supergraph
    files = {
        "subgraph.graphql": "type Query { a: Int }",
        "broken.graphql": "type Q { : }"[:6] + " {",
        "good.graphql": str(good),
        "no-url.graphql": str(good).replace("http://a", ""),
        "bad.yaml": "what: 1",
        "closed.yaml": "{server: {port: 0}, extensions: [{use: 'tests.support.extensions:Closed'}]}",
        "closed-2.yaml": "{server: {port: 0, workers: 2}, extensions: [{use: 'tests.support.extensions:Closed'}]}",
        "unknown.yaml": "headers: {subgraphs: {other: {}}}",
        "tls.yaml": "server: {tls: {certificate: nowhere.crt, key: nowhere.key}}",
        "ca.yaml": "subgraphs: {a: {url: 'https://a', tls: {ca: nowhere.pem}}}",
        "bad.json": json.dumps([{"name": "a", "url": "", "sdl": "type Query { a: What }"}]),
        "typo.json": json.dumps([{"name": "a", "uri": "http://a", "sdl": "type Query { a: Int }"}]),
        "no-sdl.json": json.dumps([{"name": "a", "url": "http://a"}]),
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    found = call("gateway", *(tmp_path / item if "." in item else item for item in arguments))
    assert found.returncode == 2
    assert message in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_an_address_that_is_taken_ends_the_command_with_what_to_do(graph, workers):
    (graph / "gateway.yaml").write_text(f"server: {{workers: {workers}}}")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        options = ("--supergraph", graph / "supergraph.graphql", "--config", graph / "gateway.yaml", "--port", port)
        found = call("gateway", *options)
    assert found.returncode == 2
    assert found.stderr.startswith(
        f"cannot listen on 127.0.0.1:{port}: Address already in use; another program listens"
    )
    assert len(found.stderr.splitlines()) == 1


def test_a_gateway_serves_until_it_is_told_to_stop(graph):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gateway.cli", "gateway", "--subgraphs", str(graph / "subgraphs.json")]
    with subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.PIPE, text=True) as process:
        try:
            _wait_until_ready(port, process)
            answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json={"query": "{ __typename me { name } }"})
            assert answer.json()["data"] == {"__typename": "Query", "me": None}
            assert answer.json()["errors"][0]["extensions"]["code"] == "SUBGRAPH_UNAVAILABLE"
        finally:
            process.terminate()
        _, stderr = process.communicate(timeout=10)
    assert "Traceback" not in stderr
    assert f"starting at http://127.0.0.1:{port}/graphql" in stderr


def test_a_gateway_with_a_certificate_serves_https_only(graph, tmp_path):
    authority = Authority(tmp_path, "authority")
    pair = authority.sign("127.0.0.1")
    trust = ssl.create_default_context(cafile=authority.ca)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"server": {"port": port, "tls": {"certificate": str(pair.certificate), "key": str(pair.key)}}}
    (tmp_path / "gateway.yaml").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "gateway.cli", "gateway", "--subgraphs", str(graph / "subgraphs.json")]
    with subprocess.Popen([*command, "--config", str(tmp_path / "gateway.yaml")], stderr=subprocess.PIPE) as process:
        try:
            _wait_until_ready(port, process, trust)
            url = f"https://127.0.0.1:{port}/graphql"
            answer = httpx.post(url, json={"query": "{ __typename }"}, verify=trust)
            assert answer.json() == {"data": {"__typename": "Query"}}
            with pytest.raises(httpx.TransportError):
                httpx.post(url.replace("https", "http"), json={"query": "{ __typename }"})
        finally:
            process.terminate()
        _, stderr = process.communicate(timeout=30)
    assert f"starting at {url}" in stderr.decode()


def _wait_until_ready(port: int, process: subprocess.Popen[Any], trust: ssl.SSLContext | None = None) -> None:
    deadline = time.monotonic() + 20
    scheme = "http" if trust is None else "https"
    while True:
        assert process.poll() is None
        try:
            url = f"{scheme}://127.0.0.1:{port}/health/ready"
            if httpx.get(url, timeout=1, verify=trust or True).status_code == 200:
                return
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise


def test_what_runs_once_per_case_loads_no_server():
    servers = ("starlette", "uvicorn", "pyreqwest", "websockets")
    code = f"import sys, gateway.cli; print([name for name in {servers} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert found.stdout.strip() == "[]"
