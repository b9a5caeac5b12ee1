"""The README's examples, run as they stand there (on free ports). Their fences say what they are: ``sh demo price``."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
START_S = 60

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the examples use curl, which is not here")


def _block(name: str) -> str:
    (found,) = re.findall(rf"^```{re.escape(name)}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    return str(found)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _with(text: str, ports: dict[str, str]) -> str:
    for written, taken in ports.items():
        text = text.replace(written, taken)
    return text


def _run(command: str) -> str:
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=True, cwd=ROOT)
    return done.stdout


def _answer(command: str) -> Any:
    found = json.loads(_run(command))
    assert "errors" not in found
    return found["data"]


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            continue
        return
    pytest.fail(f"nothing listens on {port}")


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start what the README starts; return its ports with those taken instead."""
    catalog, stock, gateway = _free_ports(3)
    ports = {"4301": str(catalog), "4302": str(stock), "4010": str(gateway)}
    listing = tmp_path_factory.mktemp("readme") / "subgraphs.yaml"
    text = (ROOT / "examples/shop/subgraphs.yaml").read_text()
    listing.write_text(_with(text, ports).replace("sdl_file: ", f"sdl_file: {ROOT}/examples/shop/"))
    commands = [line.rstrip("& ") for line in _block("sh shop start").splitlines()]
    assert len(commands) == 3
    with ExitStack() as stack:
        for command, port in zip(commands, (catalog, stock, gateway), strict=True):
            words = _with(command, ports).replace("examples/shop/subgraphs.yaml", str(listing)).split()
            words[0] = str(Path(sys.executable).parent / Path(words[0]).name)
            process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            stack.callback(process.communicate, timeout=20)
            stack.callback(process.terminate)
            _wait_for(port, process)
        yield ports


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run the command of ``make demo`` without the tour, on free ports and with a state folder of its own."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "crossdock", "demo", "--no-tour", "--port", "0", "--sandbox-port", "0"]
    process = subprocess.Popen([*command, "--state", str(folder)], cwd=ROOT, stdout=subprocess.DEVNULL)
    file = folder / "addresses.json"
    deadline = time.monotonic() + START_S
    while not file.exists():
        assert process.poll() is None, "the demo ended instead of starting"
        assert time.monotonic() < deadline, "the demo did not start"
        time.sleep(0.05)
    yield json.loads(file.read_text())
    process.terminate()
    assert process.wait(timeout=60) == 0
    assert not file.exists()


class TestOwnSubgraphs:
    @needs_curl
    def test_the_query_answers_what_the_readme_says(self, ports: dict[str, str]) -> None:
        assert json.loads(_run(_with(_block("sh shop query"), ports))) == json.loads(_block("json shop"))

    @needs_curl
    def test_the_subscription_completes_every_event(self, ports: dict[str, str]) -> None:
        stream = _run(_with(_block("sh shop subscription"), ports))
        events = [json.loads(line.removeprefix("data:")) for line in stream.splitlines() if line.startswith("data: {")]
        names = [event["data"]["counted"]["name"] for event in events if "data" in event]
        assert names == ["Transfer pump", "Ball valve", "Suction hose"]


class TestDemo:
    def _command(self, name: str, addresses: dict[str, str]) -> str:
        return _block(name).replace("http://127.0.0.1:4000", addresses["gateway"])

    @needs_curl
    def test_a_customer_is_shown(self, addresses: dict[str, str]) -> None:
        account = _answer(self._command("sh demo customer", addresses))["accountByNumber"]
        assert account["creditAvailable"]["currency"] == "USD"
        assert account["orders"]["nodes"]
        assert account["cases"]["nodes"]

    @needs_curl
    def test_a_price_and_a_promise_are_shown(self, addresses: dict[str, str]) -> None:
        item = _answer(self._command("sh demo price", addresses))["itemBySku"]
        assert item["price"]["unit"]["amount"] == "36.10"
        assert item["availability"]["decision"] == "PARTIAL"

    @needs_curl
    def test_an_order_is_accepted_and_replayed(self, addresses: dict[str, str]) -> None:
        command = self._command("sh demo order", addresses)
        first, again = _answer(command)["orderSubmit"], _answer(command)["orderSubmit"]
        assert first["order"]["status"] == "ACCEPTED"
        assert (again["order"]["id"], again["replayed"]) == (first["order"]["id"], True)

    @needs_curl
    def test_a_story_is_told(self, addresses: dict[str, str]) -> None:
        order = _answer(self._command("sh demo lineage", addresses))["orderByNumber"]
        assert len(order["lineage"]["nodes"]) > 20
        assert order["returns"]

    def test_shipments_are_followed_from_python(self, addresses: dict[str, str]) -> None:
        code = _block("python demo").replace("ws://127.0.0.1:4000", addresses["gateway"].replace("http", "ws"))
        followed = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for name in ("wms", "tms"):
            switch = f"{addresses[name]}/_sandbox/clock"
            httpx.put(switch, json={"speed": 36_000.0}, trust_env=False).raise_for_status()
        assert followed.stdout is not None
        told, _ = followed.communicate(timeout=60)
        assert followed.returncode == 0
        assert re.match(r"SH-\d+ [A-Z_]+\n", told)


def test_the_settings_example_is_accepted(tmp_path: Path) -> None:
    from crossdock.settings import load  # noqa: PLC0415 - only this example needs it

    file = tmp_path / "crossdock.yaml"
    file.write_text(_block("yaml crossdock"))
    names = set(re.findall(r"\$\{([A-Z_]+)\}", file.read_text()))
    assert load(file, dict.fromkeys(names, "x" * 40)).gateway.server.port == 4000


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"make ([a-z][a-z-]+)", README))
    assert {"demo", "test"} <= named
    assert [name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []
