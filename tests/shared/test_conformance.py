"""The federation conformance cases: each supergraph served as it is given, and as we compose it from its subgraphs."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.bootstrap import build_gateway
from tests.support.shared_suites import shared

FOLDER = shared("conformance")
CASES = sorted(path.parent for path in FOLDER.glob("cases/*/tests.json"))
RECORDED_BASE = "http://127.0.0.1:4200"


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """Replay the recorded subgraphs on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(FOLDER / "replay.py"), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert "replaying" in process.stdout.readline()
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise


def _given(case: Path, base: str) -> str:
    return (case / "supergraph.graphql").read_text().replace(RECORDED_BASE, base)


def _composed(case: Path, base: str) -> str:
    from gateway.composition import SubgraphSource, compose  # noqa: PLC0415 - only this way of serving needs it

    entries = json.loads((case / "subgraphs.json").read_text())
    composition = compose(
        [
            SubgraphSource(
                name=entry["name"],
                url=entry["url"].replace(RECORDED_BASE, base),
                sdl=(case / entry["sdl_file"]).read_text(),
            )
            for entry in entries
        ]
    )
    assert composition.ok, composition.errors
    return str(composition.supergraph)


def _same(left: Any, right: Any) -> bool:
    """Compare JSON exactly: an Int may equal a Float, but true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
@pytest.mark.parametrize("make", [_given, _composed], ids=["as given", "composed here"])
async def test_every_query_has_the_expected_answer(case, make, base):
    tests = json.loads((case / "tests.json").read_text().replace("{{REQUEST_ID}}", secrets.token_hex(6)))
    wrong = []
    async with build_gateway(make(case, base)) as gateway:
        for number, test in enumerate(tests):
            answer = (await gateway.execute(test["query"], test.get("variables") or None)).to_dict()
            expected = test["expected"]
            has_errors = expected.get("errors")
            if not _same(answer.get("data"), expected.get("data")) or (
                isinstance(has_errors, bool) and has_errors is not bool(answer.get("errors"))
            ):
                wrong.append((number, test["query"], answer, expected))
    assert wrong == []
