"""Measure the demo as a user has it: start, customer view (S1), price and availability (S2), calls to systems, memory.

    python bench/graph.py             prints one line per figure

The demo runs as its own processes on free ports of the loopback, with a new state folder; requests go over one kept
connection, one after the other. Memory is the resident set of the demo and of the sandboxes that it starts.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from crossdock.scenarios import scenario

WARM = 20
ROUNDS = 200
START_S = 60


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for what in ("first", "second"):
            began = time.perf_counter()
            process = start(Path(folder))
            addresses = ready(Path(folder), process)
            print(f"start of the demo, {what} time: {time.perf_counter() - began:.1f} s")
            try:
                if what == "second":
                    measure(addresses, process.pid)
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=30)


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "crossdock", "demo", "--port", "0", "--sandbox-port", "0", "--no-tour"]
    return subprocess.Popen([*command, "--state", str(folder)], stdout=subprocess.DEVNULL)


def ready(folder: Path, process: subprocess.Popen[bytes]) -> dict[str, str]:
    file = folder / "addresses.json"
    deadline = time.monotonic() + START_S
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit("the demo did not start")
        try:
            return dict(json.loads(file.read_text()))
        except (FileNotFoundError, ValueError):
            time.sleep(0.01)


def measure(addresses: dict[str, str], pid: int) -> None:
    with httpx.Client(timeout=30, trust_env=False) as http:
        for name in ("customer", "price"):
            shown = scenario(name)
            body = {"query": shown.query, "variables": shown.variables}
            times = []
            for round_ in range(WARM + ROUNDS):
                if round_ == WARM:
                    calls = count(http, addresses)
                began = time.perf_counter()
                answer = http.post(f"{addresses['gateway']}/graphql", json=body)
                times.append(time.perf_counter() - began)
                if answer.status_code != 200 or answer.json().get("errors"):
                    sys.exit(f"{name}: {answer.text[:500]}")
            calls = (count(http, addresses) - calls) / ROUNDS
            times = sorted(times[WARM:])
            p50, p95, p99 = (times[int(len(times) * part)] * 1000 for part in (0.5, 0.95, 0.99))
            print(
                f"{name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, mean "
                f"{statistics.mean(times) * 1000:.1f} ms, {calls:g} calls to systems a request"
            )
    sizes = {name: resident_mib(each) for name, each in (("demo", pid), *(("sandboxes", c) for c in children(pid)))}
    print(f"resident: {sum(sizes.values()):.0f} MiB (" + ", ".join(f"{n} {s:.0f}" for n, s in sizes.items()) + ")")


def count(http: httpx.Client, addresses: dict[str, str]) -> float:
    systems = [address for name, address in addresses.items() if name != "gateway"]
    return sum(sum(http.get(f"{address}/_sandbox/calls").json()["calls"].values()) for address in systems)


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
