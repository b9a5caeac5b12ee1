"""``compose``, ``check``, ``plan`` and ``gateway``: the engine on the command line.

Exit codes: 0 done; 1 the subgraphs do not compose, or the operation has no plan; 2 an input cannot be used.

Every command imports what it needs when it runs: ``compose`` and ``plan`` are called once per case by scripts and must
not wait for a web server to load.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gateway.check_command import make_check
from gateway.config_commands import config as config_commands

if TYPE_CHECKING:
    from gateway.bootstrap import Gateway
    from gateway.config import GatewaySettings
    from gateway.server.reload import SupergraphSource

__all__ = ["app", "compose", "gateway", "main", "plan"]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

app.add_typer(config_commands, name="config")

_GC_THRESHOLDS = (50_000, 50, 100)
"""Python's own 700 suit small programs; one large answer makes thousands of objects, all freed by reference counts."""

_SUBGRAPH_KEYS = {"name", "url", "sdl", "sdl_file"}

_BAD_INPUT = 2
_REFUSED = 1
"""A correct answer that is no: the graph or the operation is at fault, not the call."""


@app.command()
def compose(
    subgraphs: Annotated[Path, typer.Option(help="JSON or YAML list of {name, url, sdl_file | sdl}.")],
    format_: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    include_tag: Annotated[list[str] | None, typer.Option(help="Keep only what has one of these tags.")] = None,
    exclude_tag: Annotated[list[str] | None, typer.Option(help="Leave out what has one of these tags.")] = None,
) -> None:
    """Compose subgraphs into a supergraph."""
    _one_of("--format", format_, ("text", "json"))
    from gateway.composition import compose as compose_subgraphs  # noqa: PLC0415

    composition = compose_subgraphs(
        _read_subgraphs(subgraphs), include_tags=tuple(include_tag or ()), exclude_tags=tuple(exclude_tag or ())
    )
    if format_ == "json":
        typer.echo(json.dumps(composition.to_json(), indent=2))
    else:
        for problem in [*composition.errors, *composition.hints]:
            typer.echo(str(problem), err=True)
        if composition.ok:
            typer.echo(composition.supergraph)
    raise typer.Exit(0 if composition.ok else _REFUSED)


@app.command()
def plan(
    supergraph: Annotated[Path, typer.Option(help="Supergraph SDL.")],
    operation: Annotated[Path, typer.Option(help="GraphQL document.")],
    format_: Annotated[str, typer.Option("--format", help="text; json for the plan; dot for graphs.")] = "text",
    stage: Annotated[str, typer.Option(help="normalize, graph, paths, fetch-graph, plan or projection.")] = "plan",
    operation_name: Annotated[str | None, typer.Option(help="Operation of the document.")] = None,
    override_label: Annotated[
        list[str] | None, typer.Option(help="Label of a progressive override that is on.")
    ] = None,
) -> None:
    """Print how an operation is planned; what it defers by a variable is taken as deferred."""
    from gateway.errors import PlanningError, RequestError, SupergraphError  # noqa: PLC0415
    from gateway.operation import parse_operation  # noqa: PLC0415
    from gateway.planner import FORMATS, STAGES, explain  # noqa: PLC0415
    from gateway.supergraph import parse_supergraph  # noqa: PLC0415

    _one_of("--stage", stage, STAGES)
    _one_of(f"--format of the stage {stage}", format_, FORMATS.get(stage, ("text",)))
    try:
        model = parse_supergraph(_read(supergraph))
        parsed = parse_operation(model, _read(operation), operation_name, defers=lambda _: True)
    except (SupergraphError, RequestError) as error:
        _fail(error.message)
    try:
        labels = frozenset(override_label or ())
        typer.echo(explain(model, parsed, stage=stage, format=format_, override_labels=labels))
    except PlanningError as error:
        _fail(error.message, _REFUSED)


@app.command()
def gateway(
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    subgraphs: Annotated[Path | None, typer.Option(help="JSON or YAML list of {name, url, sdl_file | sdl}.")] = None,
    supergraph: Annotated[Path | None, typer.Option(help="Supergraph SDL, composed here or elsewhere.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings as YAML.")] = None,
) -> None:
    """Serve a supergraph."""
    from gateway.bootstrap import Origin, Upkeep, build_gateway  # noqa: PLC0415
    from gateway.errors import GatewayError  # noqa: PLC0415

    if subgraphs is not None and supergraph is not None:
        _fail("give either --supergraph or --subgraphs")
    try:
        settings = _settings(config, host, port)
        source = None if subgraphs is not None else _source(supergraph, settings)
        sdl = _compose_for_serving(subgraphs) if subgraphs is not None else _first(source)
        built = build_gateway(sdl, settings=settings)
    except GatewayError as error:
        _fail(error.message)
    origin = None
    if config is not None:
        origin = Origin(
            lambda: _settings(config, host, port),
            config,
            None if subgraphs is not None else partial(_source, supergraph),
        )
    Upkeep(built, source, origin)
    _serve(built, settings)


def _source(supergraph: Path | None, settings: GatewaySettings) -> SupergraphSource | None:
    """Return where the supergraph comes from: the command line first, then the settings; None for nowhere."""
    from gateway.server.reload import FileSource, UrlSource  # noqa: PLC0415

    given = settings.supergraph
    if supergraph is None and given.directory is not None:
        from gateway.server.sdl_directory import SdlDirectory  # noqa: PLC0415

        return SdlDirectory(given.directory, {name: own.url or "" for name, own in settings.subgraphs.items()})
    if supergraph is not None or given.file is not None:
        return FileSource(supergraph or given.file or Path())
    return None if given.url is None else UrlSource(given.url, given.timeout)


def _first(source: SupergraphSource | None) -> str:
    """Return the supergraph that the gateway starts with."""
    import asyncio  # noqa: PLC0415

    from gateway.transport.download import DownloadFailed  # noqa: PLC0415

    if source is None:
        _fail("give either --supergraph or --subgraphs, or the supergraph in the settings")
    try:
        return asyncio.run(source.changed()) or ""
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}")
    except (ValueError, DownloadFailed) as error:
        _fail(f"the supergraph cannot be read: {error}")


def _settings(config: Path | None, host: str | None, port: int | None) -> GatewaySettings:
    """Return the settings of the file with host and port of the command line over them."""
    from gateway.config import GatewaySettings, load_settings, settings_from  # noqa: PLC0415

    settings = load_settings(config) if config is not None else GatewaySettings()
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    if not given:
        return settings
    values = settings.model_dump()
    values["server"] |= given
    return settings_from(values)


def _serve(built: Gateway, settings: GatewaySettings) -> None:
    import gc  # noqa: PLC0415
    import logging  # noqa: PLC0415
    import signal  # noqa: PLC0415

    import uvicorn  # noqa: PLC0415

    from gateway.logs import log_to  # noqa: PLC0415

    # uvicorn drains, puts back the handler that it found, and raises the signal again: then the work is done.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    log_to(sys.stderr)
    if settings.server.port:
        address = f"http://{settings.server.host}:{settings.server.port}{settings.server.path}"
        logging.getLogger("gateway").info("starting at %s", address)
    gc.collect()
    gc.freeze()  # schema and supergraph stay for good; walking them again and again would cost a sixth of the work
    gc.set_threshold(*_GC_THRESHOLDS)
    config = uvicorn.Config(
        built.asgi,
        host=settings.server.host,
        port=settings.server.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,  # whose word on addresses counts is a setting of ours
        ws_max_size=settings.limits.max_request_bytes,
        ws_per_message_deflate=False,  # a compressor for each socket, for messages of some hundred bytes
        timeout_graceful_shutdown=10,
    )
    built.on_change(lambda changed: setattr(config, "ws_max_size", changed.limits.max_request_bytes))
    uvicorn.Server(config).run()


def _compose_for_serving(subgraphs: Path) -> str:
    from gateway.composition import compose as compose_subgraphs  # noqa: PLC0415
    from gateway.errors import CompositionError  # noqa: PLC0415

    composition = compose_subgraphs(_read_subgraphs(subgraphs))
    if composition.supergraph is None:
        raise CompositionError(str(problem) for problem in composition.errors)
    return str(composition.supergraph)


def _compose_for_check(subgraphs: Path) -> str | None:
    from gateway.composition import compose as compose_subgraphs  # noqa: PLC0415

    composition = compose_subgraphs(_read_subgraphs(subgraphs))
    for problem in composition.errors:
        typer.echo(str(problem), err=True)
    return None if composition.supergraph is None else str(composition.supergraph)


def _read_subgraphs(path: Path) -> list[Any]:
    """Read the list of subgraphs; ``sdl_file`` is relative to the list's own folder."""
    from gateway.composition import SubgraphSource  # noqa: PLC0415

    text = _read(path)
    try:
        if path.suffix == ".json":
            entries = json.loads(text)
        else:
            import yaml  # noqa: PLC0415

            entries = yaml.safe_load(text)
    except ValueError as error:
        _fail(f"{path}: the list of subgraphs is not valid: {error}")
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "yaml":
            raise
        _fail(f"{path}: the list of subgraphs is not valid YAML: {error}")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "name" in entry for entry in entries):
        _fail(f"{path}: a list of {{name, url, sdl_file or sdl}} is expected")
    sources = []
    for entry in entries:
        unknown = sorted(entry.keys() - _SUBGRAPH_KEYS)
        if unknown:
            accepted = ", ".join(sorted(_SUBGRAPH_KEYS))
            _fail(f"{path}: subgraph {entry['name']} has the unknown key {unknown[0]}; accepted: {accepted}")
        if "sdl" not in entry and "sdl_file" not in entry:
            _fail(
                f"{path}: subgraph {entry['name']} has neither sdl nor sdl_file; "
                "a federation subgraph tells its SDL itself: ask it for {_service{sdl}}"
            )
        sdl = entry["sdl"] if "sdl" in entry else _read(path.parent / str(entry["sdl_file"]))
        sources.append(SubgraphSource(name=str(entry["name"]), url=str(entry.get("url") or ""), sdl=str(sdl)))
    return sources


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        _fail(f"{path}: {error.strerror}")
    except UnicodeDecodeError:
        _fail(f"{path}: the file is not UTF-8")


def _one_of(option: str, value: str, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        _fail(f"{option} is {value!r}; accepted: {', '.join(accepted)}")


def _fail(message: str, code: int = _BAD_INPUT) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)


app.command(name="check")(make_check(_compose_for_check))


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
