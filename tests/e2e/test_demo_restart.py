"""The demo is killed while an order waits for the ERP; the next one goes on with it, and says so."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from crossdock.scenarios import scenario
from tests.support.graph_suite.asking import submission

ROOT = Path(__file__).parents[2]
START_S = 120
ENDED_S = 60.0
"""Longest wait for the process to end; how long it takes is in ``bench/processes.md``."""

LOOK_S = 0.05
"""Pause between looks: who asks all the time takes the demo's own time from it."""

PROCESS = "query ($id: ID!) { process(id: $id) { state steps { name state } } }"


def _start(state: Path, output: Path) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    command = [sys.executable, "-m", "crossdock", "demo", "--port", "0", "--sandbox-port", "0", "--no-tour"]
    addresses = state / "addresses.json"
    addresses.unlink(missing_ok=True)
    with output.open("wb") as terminal:
        demo = subprocess.Popen([*command, "--state", str(state)], cwd=ROOT, stdout=terminal, stderr=terminal)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert demo.poll() is None, output.read_text()
        try:
            return demo, dict(json.loads(addresses.read_text()))
        except (FileNotFoundError, ValueError):
            time.sleep(0.01)
    demo.kill()
    pytest.fail(f"the demo did not start: {output.read_text()}")


def _ask(http: httpx.Client, url: str, query: str, variables: dict[str, Any]) -> Any:
    answer = http.post(f"{url}/graphql", json={"query": query, "variables": variables}).json()
    assert "errors" not in answer, answer
    return answer["data"]


@pytest.mark.slow
def test_a_killed_demo_goes_on_with_its_orders_and_names_them(tmp_path: Path) -> None:
    state, output = tmp_path / "state", tmp_path / "terminal"
    out = {"outages": [{"after_s": 0, "for_s": 600}], "only": {"methods": ["POST"]}}
    with httpx.Client(timeout=30, trust_env=False) as http:
        demo, addresses = _start(state, output)
        try:
            http.put(f"{addresses['erp']}/_sandbox/faults", json=out).raise_for_status()
            payload = _ask(
                http, addresses["gateway"], scenario("order").query, {"input": submission(("VLV-0042", "4"), waitMs=0)}
            )["orderSubmit"]
        finally:
            demo.send_signal(signal.SIGKILL)
            demo.wait()
        demo, addresses = _start(state, output)
        try:
            process_id, began = payload["process"]["id"], time.monotonic()
            process = None
            while process is None or process["state"] != "COMPLETED":
                assert time.monotonic() - began < ENDED_S, process
                time.sleep(LOOK_S)
                process = _ask(http, addresses["gateway"], PROCESS, {"id": process_id})["process"]
            sys.stdout.write(f"ended {time.monotonic() - began:.1f} s after the demo served again\n")
            assert f"goes on where it was: ORDER_SUBMISSION of {payload['order']['id']}" in _plain(output)
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(timeout=30)


def _plain(output: Path) -> str:
    """Return what the terminal shows, without its line breaks."""
    return " ".join(output.read_text().split())
