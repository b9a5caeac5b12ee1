"""Everything in one process follows the gateway's section of its settings, and refuses what needs a restart."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path

import httpx
import pytest
import yaml

from crossdock.demo.prepare import CREDENTIALS, demo_settings
from crossdock.embedded import open_embedded
from crossdock.serving import serving
from crossdock.settings import load
from gateway.errors import ConfigError
from gateway.server.listening import listen

WORKERS = {"gateway": {"server": {"workers": 2}}}
SECRET = "a secret of tests that is long enough for all"
NOWHERE = "http://127.0.0.1:9"
WAIT_S = 60


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the system has no such signal")
async def test_the_section_of_the_gateway_is_taken_over_and_nothing_when_another_has_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = tmp_path / "crossdock.yaml"
    wanted = demo_settings(tmp_path, dict.fromkeys((*CREDENTIALS, "wms", "tms"), NOWHERE), SECRET)
    values = wanted.model_dump(mode="json", exclude={"gateway"})

    def write(**sections: object) -> None:
        config.write_text(yaml.safe_dump({**values, **sections}), encoding="utf-8")

    write(**WORKERS)
    with pytest.raises(ConfigError, match="has one worker"):
        await open_embedded(load(config)).__aenter__()
    write(gateway={"limits": {"max_aliases": 5}})
    where = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{where.getsockname()[1]}"
    async with (
        asyncio.timeout(WAIT_S),
        open_embedded(load(config), config) as app,
        serving(app, where),
        httpx.AsyncClient(base_url=address, timeout=WAIT_S) as client,
    ):

        async def code() -> str | None:
            answer = (await client.post("/graphql", json={"query": "{ a: __typename b: __typename }"})).json()
            return answer["errors"][0]["extensions"]["code"] if "errors" in answer else None

        assert await code() is None
        write(gateway={"limits": {"max_aliases": 1}})
        os.kill(os.getpid(), signal.SIGHUP)
        while await code() != "LIMIT_EXCEEDED":
            pass
        with caplog.at_level(logging.ERROR, "gateway"):
            write(gateway={"limits": {"max_aliases": 5}}, redis="redis://127.0.0.1:9")
            os.kill(os.getpid(), signal.SIGHUP)
            while "redis cannot change while everything runs" not in caplog.text:
                await code()
        assert await code() == "LIMIT_EXCEEDED"
