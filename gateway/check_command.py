"""``check``: whether a new schema breaks clients of the published one.

Exit codes: 0 nothing breaks; 1 the subgraphs do not compose, or known operations break; 2 an input cannot be used.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gateway.exit_codes import BAD_INPUT, REFUSED

if TYPE_CHECKING:
    from gateway.check import RecordedOperation

__all__ = ["make_check"]


def make_check(compose: Callable[[Path], str | None]) -> Callable[..., None]:
    """Return the command; ``compose`` makes the supergraph of a list of subgraphs and says itself why it cannot."""

    def check(
        against: Annotated[Path, typer.Option(help="Published supergraph SDL.")],
        subgraphs: Annotated[
            Path | None, typer.Option(help="New: JSON or YAML list of {name, url, sdl_file | sdl}.")
        ] = None,
        supergraph: Annotated[Path | None, typer.Option(help="New: supergraph SDL.")] = None,
        operations: Annotated[
            Path | None, typer.Option(help="What clients send: a folder of .graphql files, or a manifest.")
        ] = None,
        format_: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    ) -> None:
        """Tell what a new schema breaks for clients, and how plans of their operations change."""
        from gateway.check import check_schema, to_json, to_text  # noqa: PLC0415
        from gateway.errors import GatewayError  # noqa: PLC0415
        from gateway.supergraph import parse_supergraph  # noqa: PLC0415

        if format_ not in {"text", "json"}:
            _fail(f"--format is {format_!r}; accepted: text, json")
        if (subgraphs is None) is (supergraph is None):
            _fail("give either --supergraph or --subgraphs")
        sdl = _read(supergraph) if supergraph is not None else compose(subgraphs or Path())
        if sdl is None:
            raise typer.Exit(REFUSED)
        try:
            recorded = [] if operations is None else _recorded(operations)
            found = check_schema(parse_supergraph(_read(against)), parse_supergraph(sdl), recorded)
        except GatewayError as error:
            _fail(error.message)
        typer.echo(json.dumps(to_json(found), indent=2) if format_ == "json" else to_text(found))
        raise typer.Exit(0 if found.ok else REFUSED)

    return check


def _recorded(path: Path) -> list[RecordedOperation]:
    """Return the operations of a folder or of a manifest."""
    from gateway.check import RecordedOperation  # noqa: PLC0415
    from gateway.policies.document_manifest import read_documents  # noqa: PLC0415

    if path.is_dir():
        files = sorted(item for item in path.rglob("*") if item.suffix in {".graphql", ".gql"})
        found = [RecordedOperation(item.relative_to(path).as_posix(), _read(item)) for item in files]
    else:
        found = [RecordedOperation(identifier, text) for identifier, _, text in read_documents(path)]
    if not found:
        _fail(f"{path}: there is no operation in it; leave --operations out to count every breaking change")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        _fail(f"{path}: {error.strerror}")
    except UnicodeDecodeError:
        _fail(f"{path}: the file is not UTF-8")


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(BAD_INPUT)
