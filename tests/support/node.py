"""Run a script of ``tests/node`` with Node, where Node and the npm packages are there."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[1] / "node"
MODULES = "CROSSDOCK_NODE_MODULES"
MAX_SECONDS = 60
"""A script that takes longer hangs."""

_modules = Path(os.environ.get(MODULES) or "/nowhere").absolute()
_reason = (
    "Node is not installed"
    if shutil.which("node") is None
    else f"{MODULES} names no folder of npm packages; `make test-node` installs them"
    if not _modules.is_dir()
    else ""
)
needs_node = pytest.mark.skipif(bool(_reason), reason=_reason)


async def run_node(script: str, *arguments: str) -> Any:
    """Return what a script printed, as JSON; fail with what it wrote as error when it ended badly."""
    process = await asyncio.create_subprocess_exec(
        "node",
        str(SCRIPTS / script),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], MODULES: str(_modules)},
    )
    try:
        async with asyncio.timeout(MAX_SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        pytest.fail(f"{script} did not end")
    if process.returncode:
        pytest.fail(f"{script} failed:\n{err.decode()}")
    return json.loads(out)
