"""The README's examples, run as they stand there (on free ports)."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            continue
        return
    pytest.fail(f"nothing listens on {port}")


@pytest.fixture(scope="module")
def replaced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start what the README starts; return its ports with those taken instead."""
    catalog, stock, gateway = _free_ports(3)
    ports = {"4301": str(catalog), "4302": str(stock), "4000": str(gateway)}
    listing = tmp_path_factory.mktemp("readme") / "subgraphs.yaml"
    text = (ROOT / "examples/shop/subgraphs.yaml").read_text()
    listing.write_text(_with(text, ports).replace("sdl_file: ", f"sdl_file: {ROOT}/examples/shop/"))
    commands = [line.rstrip("& ") for line in _blocks("sh")[0].splitlines() if line.startswith(".venv/bin/")]
    assert len(commands) == 3
    processes = []
    for command, port in zip(commands, (catalog, stock, gateway), strict=True):
        words = _with(command, ports).replace("examples/shop/subgraphs.yaml", str(listing)).split()
        words[0] = str(Path(sys.executable).parent / Path(words[0]).name)
        process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        processes.append(process)
        _wait_for(port, process)
    yield ports
    for process in processes:
        process.terminate()
        process.communicate(timeout=20)


def _with(text: str, ports: dict[str, str]) -> str:
    for written, taken in ports.items():
        text = text.replace(written, taken)
    return text


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the example uses curl, which is not here")


@needs_curl
def test_the_query_answers_what_the_readme_says(replaced: dict[str, str]) -> None:
    curl = _with(_blocks("sh")[1], replaced)
    answer = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, timeout=30, check=True).stdout

    assert json.loads(answer) == json.loads(_blocks("json")[0])


@needs_curl
def test_the_subscription_completes_every_event(replaced: dict[str, str]) -> None:
    curl = _with(_blocks("sh")[2], replaced)
    stream = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, timeout=30, check=True).stdout
    events = [json.loads(line.removeprefix("data:")) for line in stream.splitlines() if line.startswith("data: {")]

    assert [event["data"]["counted"]["name"] for event in events if "data" in event] == [
        "Transfer pump",
        "Ball valve",
        "Suction hose",
    ]


def test_the_python_client_example_runs(replaced: dict[str, str]) -> None:
    code = _with(_blocks("python")[0], replaced) + "\nprint(low)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)

    assert "Ball valve" in done.stdout


def test_the_configuration_example_is_accepted(tmp_path: Path) -> None:
    from gateway.config import load_settings  # noqa: PLC0415 - only this example needs it

    file = tmp_path / "crossdock.yaml"
    file.write_text(_blocks("yaml")[0])
    assert load_settings(file).server.port == 4000


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
