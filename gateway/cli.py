"""``compose``, ``check``, ``plan`` and ``gateway``: the engine on the command line.

Exit codes: 0 done; 1 the subgraphs do not compose, or the operation has no plan; 2 an input cannot be used; 130 a
second Ctrl-C.

Every command imports what it needs when it runs: ``compose`` and ``plan`` are called once per case by scripts and must
not wait for a web server to load.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gateway.check_command import make_check
from gateway.config_commands import config as config_commands
from gateway.exit_codes import BAD_INPUT, REFUSED

if TYPE_CHECKING:
    from gateway.composition import SubgraphSource

__all__ = ["app", "compose", "gateway", "main", "plan"]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

app.add_typer(config_commands, name="config")


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
        _subgraphs(subgraphs), include_tags=tuple(include_tag or ()), exclude_tags=tuple(exclude_tag or ())
    )
    if format_ == "json":
        typer.echo(json.dumps(composition.to_json(), indent=2))
    else:
        for problem in [*composition.errors, *composition.hints]:
            typer.echo(str(problem), err=True)
        if composition.ok:
            typer.echo(composition.supergraph)
    raise typer.Exit(0 if composition.ok else REFUSED)


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
        _fail(error.message, REFUSED)


@app.command()
def gateway(
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    subgraphs: Annotated[Path | None, typer.Option(help="JSON or YAML list of {name, url, sdl_file | sdl}.")] = None,
    supergraph: Annotated[Path | None, typer.Option(help="Supergraph SDL, composed here or elsewhere.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings as YAML.")] = None,
) -> None:
    """Serve a supergraph."""
    from gateway.errors import GatewayError  # noqa: PLC0415
    from gateway.serving import ServeOptions, build, end_on_signals, read_settings, serve  # noqa: PLC0415
    from gateway.workers import Workers  # noqa: PLC0415

    end_on_signals()
    options = ServeOptions(supergraph, subgraphs, config, host, port)
    try:
        settings = read_settings(options)
        if settings.server.workers > 1:
            raise typer.Exit(Workers(options, settings).run())
        serve(build(options))
    except (GatewayError, OSError) as error:
        _fail(error.message if isinstance(error, GatewayError) else str(error))


def _compose_for_check(subgraphs: Path) -> str | None:
    from gateway.composition import compose as compose_subgraphs  # noqa: PLC0415

    composition = compose_subgraphs(_subgraphs(subgraphs))
    for problem in composition.errors:
        typer.echo(str(problem), err=True)
    return None if composition.supergraph is None else str(composition.supergraph)


def _subgraphs(path: Path) -> list[SubgraphSource]:
    from gateway.errors import ConfigError  # noqa: PLC0415
    from gateway.subgraph_list import read_subgraphs  # noqa: PLC0415

    try:
        return read_subgraphs(path)
    except ConfigError as error:
        _fail(error.message)


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


def _fail(message: str, code: int = BAD_INPUT) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)


app.command(name="check")(make_check(_compose_for_check))


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
