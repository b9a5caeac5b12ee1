"""Starts programs quickly: one that has everything imported is copied for each.

``python -m tests.support.nursery`` reads a plan of ``mortal_child`` per line of its input, lets a copy of itself carry
it, and answers each with a line of JSON: ``status`` (as ``subprocess`` has it) and ``output``.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.mortal_child import live

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Died:
    """How a program ended."""

    status: int
    output: str

    def told(self) -> dict[str, Any]:
        """Return what the program said at last."""
        assert self.status == 0, self.output
        found: dict[str, Any] = json.loads(self.output.splitlines()[-1])
        return found


class Nursery:
    """A program that is copied."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.support.nursery"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def run(self, plan: dict[str, Any]) -> Died:
        """Let a copy carry a plan and wait for its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(plan) + "\n")
        return Died(**json.loads(self._process.stdout.readline()))


def main() -> None:
    """Serve plans until the input ends."""
    for plan in sys.stdin:
        with tempfile.TemporaryFile("w+") as output:
            child = os.fork()
            if child == 0:
                _become(json.loads(plan), output.fileno())
            _, status = os.waitpid(child, 0)
            output.seek(0)
            answer = {"status": os.waitstatus_to_exitcode(status), "output": output.read()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _become(plan: dict[str, Any], output: int) -> None:
    """Carry a plan and end this program."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        asyncio.run(live(plan))
    except BaseException:  # noqa: BLE001 - whatever it is, this copy must not go on as the nursery
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
