"""The containers of compose.yaml, each run by its command as a plain process, with the addresses of this machine.

What a container engine would add (images, networks, users) is not there; the commands, their settings, health checks
and the order in which they may start are those of the file.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import signal
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
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if service.get("image") == "crossdock"}
COMMAND = str(Path(sys.executable).parent / "crossdock")
START_S = 60

pytestmark = pytest.mark.slow


def _ports() -> dict[str, int]:
    """Return a free port for each that the file names; the sandboxes get four in a row.

    They lie below the range from which the system takes ports for connections, so nothing takes one meanwhile.
    """
    named = sorted({service["environment"]["PORT"] for service in OURS.values() if "environment" in service})
    wanted = [(name, 4 if name == "4100" else 1) for name in named]
    count = sum(size for _, size in wanted)
    for base in range(15_000 + os.getpid() % 1_000 * 10, 32_000, count):
        with ExitStack() as probes:
            try:
                for port in range(base, base + count):
                    probes.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
        firsts = itertools.accumulate((size for _, size in wanted[:-1]), initial=base)
        return dict(zip(named, firsts, strict=True))
    pytest.fail("no row of free ports")


class Containers:
    """The services of the file as processes."""

    def __init__(self, folder: Path, database: str, redis: str) -> None:
        self.folder = folder
        self.ports = _ports()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        given = dict(
            line.split("=", 1) for line in (ROOT / "deploy/example.env").read_text().splitlines() if "=" in line
        )
        self.secrets = {name: value for name, value in given.items() if not name.startswith("#")} | {
            "DATABASE_URL": database,
            "REDIS_URL": redis,
            "GATEWAY_HOST": "127.0.0.1",
        }
        for offset, name in enumerate(("CRM", "ERP", "WMS", "TMS")):
            self.secrets[f"{name}_URL"] = f"http://127.0.0.1:{self.ports['4100'] + offset}"
        for name, service in OURS.items():
            port = service.get("environment", {}).get("PORT")
            if port in self.ports:
                self.secrets[f"{name.upper()}_URL"] = f"http://127.0.0.1:{self.ports[port]}/graphql"

    def environment(self, name: str) -> dict[str, str]:
        service = OURS[name].get("environment", {})
        mapped = {key: str(self.ports.get(value, value)) for key, value in service.items()}
        return {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"} | self.secrets | mapped

    def command(self, name: str) -> list[str]:
        given = OURS[name].get("command") or _docker_command()
        words = [COMMAND if word == "crossdock" else word for word in given]
        words = [str(self.ports.get(word, word)) for word in words]
        words = [re.sub(r"http://worker:4010", f"http://127.0.0.1:{self.ports['4010']}", word) for word in words]
        return ["127.0.0.1" if word == "0.0.0.0" else word for word in words]

    def start(self, name: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{name}.log").open("wb")
        process = subprocess.Popen(
            self.command(name), cwd=self.folder, env=self.environment(name), stdout=log, stderr=subprocess.STDOUT
        )
        log.close()
        self.running[name] = process
        return process

    def is_healthy(self, name: str) -> bool:
        asked = subprocess.run(
            [COMMAND, "health"], env=self.environment(name), capture_output=True, timeout=30, check=False
        )
        return asked.returncode == 0

    def wait(self, name: str) -> None:
        deadline = time.monotonic() + START_S
        while not self.is_healthy(name):
            code = self.running[name].poll()
            assert code is None, f"{name} ended with {code}: {self.log(name)}"
            assert time.monotonic() < deadline, f"{name} is not healthy: {self.log(name)}"

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()[-3000:]

    def stop(self) -> dict[str, int]:
        """Ask every process to end; return their exit codes."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        codes = {}
        for name, process in self.running.items():
            try:
                codes[name] = process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                codes[name] = process.wait()
        return codes


def _docker_command() -> list[str]:
    found = re.findall(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    command: list[str] = yaml.safe_load(found[-1])
    return command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image holds under /srv."""
    made = tmp_path_factory.mktemp("srv")
    (made / "var").mkdir()
    (made / "schema").mkdir()
    (made / "schema/supergraph.graphql").write_text((ROOT / "schema/supergraph.graphql").read_text())
    shutil.copytree(ROOT / "deploy", made / "deploy")
    return made


@pytest.fixture(scope="module")
def containers(folder: Path, postgres_server: Any, redis_server: str) -> Iterator[Containers]:
    name = postgres_server.create()
    made = Containers(folder, postgres_server.url(name), redis_server)
    try:
        for service in _in_order():
            process = made.start(service)
            if service == "migrate":
                assert process.wait(timeout=START_S) == 0, made.log(service)
                del made.running[service]
            else:
                made.wait(service)
        yield made
    finally:
        codes = made.stop()
        postgres_server.drop(name)
    failed = {name: made.log(name) for name, code in codes.items() if code}
    assert not failed, "every part ends in order when it is asked to"


def _in_order() -> list[str]:
    """Return our services so that each comes after those it depends on."""
    ordered: list[str] = []
    waiting = dict(OURS)
    while waiting:
        ready = [name for name, service in waiting.items() if not set(service.get("depends_on", ())) & set(waiting)]
        assert ready, f"the services depend on each other in a circle: {sorted(waiting)}"
        ordered += ready
        for name in ready:
            del waiting[name]
    return ordered


def _token(containers: Containers) -> str:
    command = [COMMAND, "token", "--subject", "user:usr_1", "--role", "SALES_MANAGER", "--scope", "credit:read"]
    made = subprocess.run(command, env=containers.environment("gateway"), capture_output=True, text=True, check=True)
    return made.stdout.strip()


def _ask(containers: Containers, query: str, variables: Any = None, token: str | None = None) -> dict[str, Any]:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    url = f"http://127.0.0.1:{containers.ports['4000']}/graphql"
    body = {"query": query, "variables": variables or {}}
    answer: dict[str, Any] = httpx.post(url, json=body, headers=headers, timeout=30, trust_env=False).json()
    return answer


def test_every_command_of_the_file_is_one_that_crossdock_has() -> None:
    known = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True).stdout
    for name, service in OURS.items():
        command = service.get("command") or _docker_command()
        assert command[0] == "crossdock", name
        assert command[1] in known, shlex.join(command)


def test_the_health_check_of_the_image_is_the_command_that_the_test_runs() -> None:
    assert re.search(r'CMD \["crossdock", "health"\]', (ROOT / "Dockerfile").read_text())


def test_the_parts_answer_together(containers: Containers) -> None:
    query = '{ accountByNumber(number: "C-10042") { name credit { onHold } orders(first: 1) { nodes { number } } } }'
    found = _ask(containers, query, token=_token(containers))
    assert "errors" not in found
    assert found["data"]["accountByNumber"]["orders"]["nodes"]


def test_nobody_is_somebody_without_a_token(containers: Containers) -> None:
    found = _ask(containers, '{ accountByNumber(number: "C-10042") { name } }')
    assert found["data"]["accountByNumber"] is None


def test_an_order_crosses_processes_into_the_warehouse(containers: Containers) -> None:
    token = _token(containers)
    submitted = _ask(
        containers,
        "mutation ($input: OrderSubmitInput!) { orderSubmit(input: $input) { order { id status } } }",
        {
            "input": {
                "idempotencyKey": "containers-1",
                "accountId": "acc_1",
                "shipToId": "shp_1",
                "channel": "PORTAL",
                "waitMs": 10_000,
                "poNumber": "PO-CONTAINERS",
                "lines": [{"lineNo": 1, "sku": "VLV-0042", "quantity": {"value": "2", "uom": "EA"}}],
            }
        },
        token,
    )
    order = submitted["data"]["orderSubmit"]["order"]
    assert order["status"] == "ACCEPTED"
    for name in ("wms", "tms"):
        address = containers.secrets[f"{name.upper()}_URL"]
        httpx.put(f"{address}/_sandbox/clock", json={"speed": 36_000.0}, trust_env=False).raise_for_status()
    deadline = time.monotonic() + START_S
    query = "query ($id: ID!) { order(id: $id) { fulfillmentStatus } }"
    while True:
        status = _ask(containers, query, {"id": order["id"]}, token)["data"]["order"]["fulfillmentStatus"]
        if status == "DELIVERED":
            break
        assert time.monotonic() < deadline, status
