from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from gateway.memory import give_back_freed_memory

PROGRAM = """
import sys
from pathlib import Path
from gateway.memory import give_back_freed_memory

def resident_mib():
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("VmRSS")) / 1024

assert len(sys.argv) == 1 or give_back_freed_memory()
large = bytes(30 * 1024 * 1024)
del large
before = resident_mib()
blocks = [b"x" * (200 * 1024) for _ in range(100)]
blocks.clear()
print(resident_mib() - before)
"""


def held_mib(*arguments: str) -> float:
    """Return what a program holds of 20 MiB that it freed, after a larger block."""
    return float(subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries choose by themselves")
def test_freed_memory_goes_back_to_the_system(monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"):
        monkeypatch.delenv(name, raising=False)
    assert held_mib() > 15
    assert held_mib("give back") < 8


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"])
def test_what_the_environment_chooses_is_left_alone(monkeypatch, name: str):
    monkeypatch.setenv(name, "1")
    assert give_back_freed_memory() is False
