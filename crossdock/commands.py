"""The commands of the distribution graph, beside those of the gateway.

Each command imports what it needs when it runs, so that ``compose`` and ``plan`` load none of it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gateway.exit_codes import BAD_INPUT, REFUSED

if TYPE_CHECKING:
    from crossdock.settings import CrossdockSettings

__all__ = ["register"]

_TOKEN_SECRET = "CROSSDOCK_TOKEN_SECRET"  # noqa: S105 - the name of a variable
_SANDBOX_PORT = 4100
_LOOPBACK = "127.0.0.1"
_HEALTH_S = 2.0
"""Longest wait for the answer of a health check."""

_Config = Annotated[Path, typer.Option(help="Settings as YAML.")]
_Host = Annotated[str, typer.Option(help="Address to listen on.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    audit = typer.Typer(help="The audit log: who did what.", no_args_is_help=True)
    audit.command("verify")(audit_verify)
    app.add_typer(audit, name="audit")
    for command in (demo, serve, subgraph, worker, migrate, schema, processes, sandbox, token, health):
        app.command()(command)


def demo(
    port: Annotated[int, typer.Option(help="Port of the gateway; 0 takes a free one.")] = 4000,
    sandbox_port: Annotated[int, typer.Option(help="First port of the sandboxes; 0 takes free ones.")] = _SANDBOX_PORT,
    state: Annotated[Path, typer.Option(help="Folder that keeps the state.")] = Path("var/demo"),
    tour: Annotated[bool, typer.Option(help="Play the tour in the terminal.")] = True,
    stay: Annotated[bool, typer.Option(help="Stay up after the tour, until Ctrl-C.")] = True,
) -> None:
    """Start everything with made-up systems and data, and show what it does."""
    from crossdock.demo.run import DemoOptions, run_demo  # noqa: PLC0415

    options = DemoOptions(port=port, sandbox_port=sandbox_port, state=state, has_tour=tour, stays=stay)
    raise typer.Exit(_run(run_demo(options)))


def serve(config: _Config) -> None:
    """Serve everything in one process: gateway, subgraphs, processes, webhooks."""
    from crossdock.programs import run_embedded  # noqa: PLC0415

    _run(run_embedded(_settings(config), config))


def subgraph(
    name: Annotated[str, typer.Argument(help="accounts, catalog, inventory, orders or operations.")],
    config: _Config,
    port: Annotated[int, typer.Option(help="Port to listen on.")],
    host: _Host = _LOOPBACK,
) -> None:
    """Serve one subgraph by itself."""
    from crossdock.programs import run_subgraph  # noqa: PLC0415
    from crossdock.wiring.subgraphs import SUBGRAPHS  # noqa: PLC0415

    if name not in SUBGRAPHS:
        _fail(f"no subgraph is called {name!r}; there are {', '.join(SUBGRAPHS)}")
    _run(run_subgraph(name, _settings(config), host, port))


def worker(
    config: _Config,
    port: Annotated[int, typer.Option(help="Port for webhooks and health.")],
    host: _Host = _LOOPBACK,
) -> None:
    """Carry processes and handle webhooks."""
    from crossdock.programs import run_worker  # noqa: PLC0415

    _run(run_worker(_settings(config), host, port))


def schema(
    folder: Annotated[Path, typer.Option(help="Where the schema is kept.")] = Path("schema"),
    check: Annotated[bool, typer.Option(help="Write nothing; tell whether the files are up to date.")] = False,
) -> None:
    """Write the SDL of every subgraph and the supergraph composed of them."""
    from crossdock.published import sdl_files  # noqa: PLC0415
    from gateway.errors import CompositionError  # noqa: PLC0415

    try:
        wanted = sdl_files()
    except CompositionError as error:
        _fail(error.message)
    _bring_up_to_date(folder, wanted, "crossdock schema", check=check)


def processes(
    folder: Annotated[Path, typer.Option(help="Where the pages are kept.")] = Path("docs/processes"),
    check: Annotated[bool, typer.Option(help="Write nothing; tell whether the pages are up to date.")] = False,
) -> None:
    """Write a page about every process: its steps as a diagram, with what takes them back beside them."""
    from crossdock.process_pages import process_pages  # noqa: PLC0415

    _bring_up_to_date(folder, process_pages(), "crossdock processes", check=check)


def sandbox(
    name: Annotated[str, typer.Argument(help="crm, erp, wms, tms, legacy_erp, or all.")],
    port: Annotated[int, typer.Option(help="Port; 'all' takes this one and the four after it; 0 takes free ones.")] = (
        _SANDBOX_PORT
    ),
    host: _Host = _LOOPBACK,
    state: Annotated[Path, typer.Option(help="Folder that keeps the state.")] = Path("var/sandbox"),
    webhooks: Annotated[str | None, typer.Option(help="Base address for webhooks: <base>/crm, /wms, /tms.")] = None,
    speed: Annotated[float, typer.Option(help="How many times faster than ours the clocks run.")] = 1.0,
    stop_with_stdin: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve made-up systems to run against: a CRM, a cloud ERP, a warehouse, a carrier, a legacy ERP."""
    from crossdock.serving import stop_signal  # noqa: PLC0415
    from sandbox.serve import NAMES, Address, serve  # noqa: PLC0415

    names = NAMES if name == "all" else (name,)
    if name not in (*NAMES, "all"):
        _fail(f"no sandbox is called {name!r}; there are {', '.join(NAMES)}, and all")
    addresses = [Address(each, host, port and port + offset) for offset, each in enumerate(names)]

    async def run() -> None:
        until = stop_signal()
        if stop_with_stdin:
            loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()
            loop.add_reader(stdin, lambda: None if os.read(stdin, 1024) else until.set())
        await serve(addresses, state, webhook_base=webhooks, clock_speed=speed, until=until)

    _run(run())


def migrate(
    config: Annotated[Path | None, typer.Option(help="Settings as YAML.")] = None,
    database: Annotated[str | None, typer.Option(help="Database URL, instead of the one in the settings.")] = None,
) -> None:
    """Bring the database up to the newest version."""
    from crossdock.migrations import upgrade  # noqa: PLC0415

    if (config is None) == (database is None):
        _fail("give either --config or --database")
    _run(upgrade(database or _settings(config or Path()).database))
    typer.echo("the database is up to date")


def audit_verify(
    config: Annotated[Path | None, typer.Option(help="Settings as YAML.")] = None,
    database: Annotated[str | None, typer.Option(help="Database URL, instead of the one in the settings.")] = None,
    expect: Annotated[str | None, typer.Option(help="Head that an earlier run printed, as <number>:<hash>.")] = None,
) -> None:
    """Check the chain of the audit log and name the first broken entry; the exit code is 0 or 1."""
    from crossdock.audit import head_of, verify_audit  # noqa: PLC0415

    if (config is None) == (database is None):
        _fail("give either --config or --database")
    head = None
    if expect is not None:
        head = head_of(expect)
        if head is None:
            _fail(f"--expect is {expect!r}: give a number, a colon and a hash of 64 digits, as an earlier run printed")
    verdict = _run(verify_audit(database or _settings(config or Path()).database, head))
    if verdict.broken is not None:
        typer.echo(f"entry {verdict.broken} is broken: {verdict.reason}", err=True)
        raise typer.Exit(REFUSED)
    typer.echo(f"{verdict.head.number} entries are sound; the head is {verdict.head.number}:{verdict.head.hash}")


def token(
    subject: Annotated[str, typer.Option(help="Who it is for, such as user:ann.")],
    role: Annotated[list[str] | None, typer.Option(help="A role; may be given again.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="A scope; may be given again.")] = None,
    account: Annotated[list[str] | None, typer.Option(help="An account that the bearer is bound to.")] = None,
    territory: Annotated[
        list[str] | None, typer.Option(help="A territory that the bearer works in, * for all; may be given again.")
    ] = None,
    warehouse: Annotated[
        list[str] | None, typer.Option(help="A warehouse that the bearer works in, * for all; may be given again.")
    ] = None,
    hours: Annotated[float, typer.Option(help="Hours until it ends, at most 24.", min=0.01, max=24)] = 8.0,
) -> None:
    """Print a token for development, signed with the secret in CROSSDOCK_TOKEN_SECRET."""
    import jwt  # noqa: PLC0415

    from gateway.server.tokens import ALGORITHM  # noqa: PLC0415

    secret = os.environ.get(_TOKEN_SECRET, "")
    if len(secret) < 32:
        _fail(f"{_TOKEN_SECRET} must hold the secret of identity.tokens, at least 32 characters")
    claims: dict[str, Any] = {"sub": subject, "exp": int(time.time() + hours * 3600), "scope": " ".join(scope or ())}
    claims["roles"] = role or []
    if account:
        claims["accounts"] = account
    if territory:
        claims["territories"] = territory
    if warehouse:
        claims["warehouses"] = warehouse
    typer.echo(jwt.encode(claims, secret, ALGORITHM))


def health(
    port: Annotated[int, typer.Option(help="Port that the program listens on.", envvar="PORT")] = 4000,
    path: Annotated[str, typer.Option(help="Path that answers 200 while all is well.", envvar="HEALTH_PATH")] = (
        "/health"
    ),
) -> None:
    """Ask a program on this machine whether it is well; the exit code is 0 or 1."""
    import httpx  # noqa: PLC0415

    try:
        answer = httpx.get(f"http://{_LOOPBACK}:{port}{path}", timeout=_HEALTH_S, trust_env=False)
    except httpx.HTTPError as error:
        typer.echo(f"no answer on port {port}: {type(error).__name__}", err=True)
        raise typer.Exit(REFUSED) from error
    typer.echo(f"{answer.status_code} {answer.text[:200]}")
    raise typer.Exit(0 if answer.is_success else REFUSED)


def _settings(config: Path) -> CrossdockSettings:
    from crossdock.settings import load  # noqa: PLC0415
    from gateway.errors import ConfigError  # noqa: PLC0415

    try:
        return load(config)
    except ConfigError as error:
        _fail(error.message)


def _bring_up_to_date(folder: Path, wanted: Mapping[str, str], command: str, *, check: bool) -> None:
    """Write files that are not as they must be, or fail for them."""
    stale = [name for name, text in wanted.items() if not _holds(folder / name, text)]
    if check and stale:
        _fail(f"not up to date: {', '.join(stale)}; run '{command}'")
    for name in stale:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[name], encoding="utf-8")
        typer.echo(f"wrote {path}")


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a program to its end; what it cannot start with is said in one line."""
    import uvloop  # noqa: PLC0415

    from gateway.errors import ConfigError  # noqa: PLC0415
    from systems.errors import ConnectorError  # noqa: PLC0415

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except (ConfigError, ConnectorError, OSError, ValueError) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(BAD_INPUT)
