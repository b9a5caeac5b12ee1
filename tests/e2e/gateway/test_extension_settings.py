"""Extensions by the settings: found and made at the start and with each change of the settings, opened and closed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from gateway.bootstrap import build_gateway
from gateway.config import settings_from
from gateway.errors import ConfigError
from gateway.extensions import Answer, Extension, Request
from tests.e2e.gateway.test_cli import SHOP, call
from tests.e2e.gateway.test_reload import compose
from tests.support.extensions import Recorder
from tests.support.fake_transport import FakeTransport
from tests.support.serving import serve_asgi

HERE = "tests.support.extensions"
SDL = "type Query { a: Int }"
SIGNER = {"use": f"{HERE}:Signer", "with": {"signature": "one"}}


def answers() -> FakeTransport:
    return FakeTransport(lambda _: {"data": {"a": 1}})


def built(transport: FakeTransport, *listed: Any, given: tuple[Extension, ...] = ()) -> Any:
    settings = settings_from({"extensions": list(listed)}, {"SIGNATURE": "from outside"})
    return build_gateway(compose(SDL), {"s": transport}, settings, extensions=given)


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        pytest.param({"use": "no.such:X"}, "extensions.0.use: no.such:X cannot be imported: No module", id="no module"),
        pytest.param({"use": f"{HERE}:No"}, f"cannot be imported: {HERE} has no No", id="no such name"),
        pytest.param({"use": f"{HERE}:not_callable"}, "is a str; name a class or a function", id="not to be called"),
        pytest.param({"use": f"{HERE}:no_extension"}, "gives a dict, which is no gateway.extensions.Ext", id="no kind"),
        pytest.param({"use": f"{HERE}:Nothing"}, "extension Nothing has none of the hooks request,", id="no hook"),
        pytest.param(
            {"use": f"{HERE}:Signer", "with": {"key": "hidden"}},
            f"extensions.0.with: {HERE}:Signer does not take these settings: TypeError",
            id="an unknown setting",
        ),
        pytest.param(
            {"use": f"{HERE}:Signer", "with": {"signature": ""}}, "signature must not be empty", id="a wrong setting"
        ),
    ],
)
def test_an_extension_that_cannot_be_used_is_refused_with_where_and_why(listed, words):
    with pytest.raises(ConfigError) as refusal:
        built(answers(), listed)
    assert words in refusal.value.message
    assert "hidden" not in refusal.value.message


@pytest.mark.parametrize(
    ("use", "options", "code", "words"),
    [
        pytest.param("no.such:X", (), 2, "extensions.0.use: no.such:X cannot be imported", id="cannot be imported"),
        pytest.param("no.such:X", ("--no-extensions",), 0, "are accepted", id="is not looked at"),
        pytest.param(f"{HERE}:Nothing", (), 2, "extension Nothing has none of the hooks", id="has no hook"),
        pytest.param(f"{HERE}:Closed", (), 0, "are accepted", id="is not opened"),
    ],
)
def test_settings_are_validated_with_the_extensions_that_they_name(tmp_path, use, options, code, words):
    (tmp_path / "gateway.yaml").write_text(json.dumps({"extensions": [{"use": use}]}))
    found = call("config", "validate", tmp_path / "gateway.yaml", *options)
    assert found.returncode == code
    assert words in found.stdout + found.stderr


@pytest.mark.parametrize("use", ["signer", "tests support:Signer", ":Signer", "tests.support.extensions:"])
def test_a_path_of_another_form_is_no_setting(use):
    with pytest.raises(ConfigError, match=r"extensions\.0\.use"):
        settings_from({"extensions": [{"use": use}]}, {})


def test_the_accepted_keys_of_an_extension_are_told():
    with pytest.raises(ConfigError, match="unknown key; accepted here: use, with"):
        settings_from({"extensions": [{"use": "a:B", "given": {}}]}, {})


class Sync(Extension):
    """A hook that cannot be awaited."""

    def request(self, request: Request) -> None:  # type: ignore[override]
        raise AssertionError("never called")


def test_a_hook_of_the_wrong_kind_is_refused():
    with pytest.raises(ConfigError, match="extension Sync: the hook request must be written with async def"):
        built(answers(), given=(Sync(),))


async def test_settings_reach_it_with_secrets_from_the_environment():
    transport = answers()
    signature = {"use": f"{HERE}:Signer", "with": {"signature": "${SIGNATURE}"}}
    async with built(transport, signature) as gateway:
        await gateway.execute("{ a }")
    assert dict(transport.seen[0].headers)["x-signature"] == "from outside"
    assert "from outside" not in repr(gateway.settings)


async def test_a_function_may_make_it():
    async with built(answers(), {"use": f"{HERE}:refuse_bad"}) as gateway:
        assert (await gateway.execute("query Bad { a }")).errors[0]["message"] == "not this one"
        assert (await gateway.execute("query Good { a }")).data == {"a": 1}


async def test_a_change_of_the_settings_makes_them_anew_and_keeps_those_that_were_given():
    transport, given = answers(), Recorder()
    async with built(transport, SIGNER, given=(given,)) as gateway:
        await gateway.execute("{ a }")
        changed = {**SIGNER, "with": {"signature": "two"}}
        assert await gateway.change_settings(settings_from({"extensions": [changed]}, {})) == ("extensions",)
        await gateway.execute("{ a }")
        await gateway.change_settings(settings_from({}, {}))
        await gateway.execute("{ a }")
    assert [dict(request.headers).get("x-signature") for request in transport.seen] == ["one", "two", None]
    assert given.log.count("recorder request") == 3
    assert (given.log[0], given.log[-1]) == ("recorder open", "recorder close")
    assert (given.log.count("recorder open"), given.log.count("recorder close")) == (1, 1)


@pytest.mark.parametrize(
    "wrong",
    [{"use": f"{HERE}:No"}, {"use": f"{__name__}:Unready"}],
    ids=["that cannot be made", "that cannot be opened"],
)
async def test_a_change_to_one_that_cannot_be_used_leaves_the_old_ones(wrong):
    transport = answers()
    async with built(transport, SIGNER) as gateway:
        with pytest.raises(ConfigError, match=wrong["use"].split(":")[1]):
            await gateway.change_settings(settings_from({"extensions": [wrong]}, {}))
        await gateway.execute("{ a }")
    assert dict(transport.seen[0].headers)["x-signature"] == "one"


opened: list[str] = []
closed = asyncio.Event()


class Counted(Extension):
    """Says when it is opened and closed."""

    def __init__(self, label: str) -> None:
        self.label = label

    async def open(self) -> None:
        opened.append(f"open {self.label}")

    async def close(self) -> None:
        opened.append(f"close {self.label}")
        closed.set()
        raise ValueError("it cannot be closed")

    async def request(self, request: Request) -> None:
        opened.append(f"ask {self.label}")

    async def response(self, request: Request, answer: Answer) -> None:
        opened.append(f"answer {self.label}")


class Unready(Extension):
    """Cannot be opened."""

    async def open(self) -> None:
        raise OSError("nobody answers")

    async def request(self, request: Request) -> None:
        raise AssertionError("never called")


def counted(label: str) -> dict[str, Any]:
    return {"use": f"{__name__}:Counted", "with": {"label": label}}


async def test_an_old_one_is_closed_when_the_last_operation_under_it_has_ended():
    opened.clear()
    closed.clear()
    transport = answers()
    transport.gate = asyncio.Event()
    async with asyncio.timeout(30), built(transport, counted("one")) as gateway:
        running = asyncio.create_task(gateway.execute("{ a }"))
        await transport.started.wait()
        await gateway.change_settings(settings_from({"extensions": [counted("two")]}, {}))
        assert opened == ["open one", "ask one", "open two"]
        transport.gate.set()
        assert (await running).data == {"a": 1}
        await closed.wait()
        await gateway.execute("{ a }")
    assert opened == [
        *("open one", "ask one", "open two", "answer one", "close one"),
        *("ask two", "answer two", "close two"),
    ]


async def test_an_old_one_is_not_closed_before_an_operation_that_still_waits_has_ended():
    opened.clear()
    closed.clear()
    transport = answers()
    transport.gate = asyncio.Event()
    load = {"max_running": 1, "max_waiting": 5}
    settings = settings_from({"extensions": [counted("one")], "load": load}, {})
    gateway = build_gateway(compose(SDL), {"s": transport}, settings)
    async with asyncio.timeout(30), gateway:
        running = [asyncio.create_task(gateway.execute("{ a }")) for _ in range(2)]
        await transport.started.wait()
        for _ in range(50):
            await asyncio.sleep(0)
        await gateway.change_settings(settings_from({"extensions": [counted("two")], "load": load}, {}))
        assert opened.count("ask one") == 2
        transport.gate.set()
        assert [result.data for result in await asyncio.gather(*running)] == [{"a": 1}, {"a": 1}]
        await closed.wait()
    assert opened[-4:] == ["answer one", "answer one", "close one", "close two"]


async def test_what_was_opened_is_closed_when_the_next_one_cannot_be():
    opened.clear()
    with pytest.raises(ConfigError, match="extension Unready cannot be opened: OSError: nobody answers"):
        async with built(answers(), counted("one"), {"use": f"{__name__}:Unready"}):
            pass
    assert opened == ["open one", "close one"]


async def test_a_server_opens_them_before_it_takes_requests():
    opened.clear()
    gateway = built(answers(), counted("one"))
    async with serve_asgi(gateway.asgi) as address, httpx.AsyncClient(base_url=address, timeout=30) as client:
        assert opened == ["open one"]
        assert (await client.post("/graphql", json={"query": "{ a }"})).json() == {"data": {"a": 1}}
    assert opened == ["open one", "ask one", "answer one", "close one"]


@pytest.mark.parametrize(
    ("extension", "words"),
    [({"use": "nowhere:X"}, "PYTHONPATH"), ({"use": f"{HERE}:Signer", "with": {"key": 1}}, "does not take")],
    ids=["not to be imported", "wrong settings"],
)
def test_the_command_ends_with_code_2(tmp_path, extension, words):
    supergraph = tmp_path / "supergraph.graphql"
    supergraph.write_text(SHOP.compose(dict.fromkeys(SHOP.sdl, "http://127.0.0.1:9/graphql")))
    settings = tmp_path / "gateway.json"
    settings.write_text(json.dumps({"extensions": [extension]}))
    ended = call("gateway", "--supergraph", supergraph, "--config", settings, "--port", 0)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
