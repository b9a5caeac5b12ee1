"""``config validate``, ``config schema`` and ``config reference``: the settings on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.exit_codes import BAD_INPUT

__all__ = ["config"]

config = typer.Typer(no_args_is_help=True, help="Check and describe the settings of the gateway.")


@config.command()
def validate(
    file: Annotated[Path, typer.Argument(help="Settings as YAML or JSON.")],
    extensions: Annotated[bool, typer.Option(help="Import and make the extensions that it names.")] = True,
) -> None:
    """Check a file of settings: 0 when it is accepted, 2 with every fault named when it is not.

    Extensions are made, not opened; other files and addresses that it names are read when the gateway starts.
    """
    from gateway.config import load_settings  # noqa: PLC0415
    from gateway.errors import ConfigError  # noqa: PLC0415
    from gateway.extensions.hooks import bind  # noqa: PLC0415
    from gateway.extensions.loading import load_extensions  # noqa: PLC0415

    try:
        settings = load_settings(file)
        if extensions:
            bind(load_extensions(settings.extensions))
    except ConfigError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(BAD_INPUT) from error
    typer.echo(f"{file}: the settings are accepted")


@config.command()
def schema() -> None:
    """Print the JSON schema of a file of settings."""
    from gateway.config import settings_schema  # noqa: PLC0415

    typer.echo(json.dumps(settings_schema(), indent=2))


@config.command()
def reference() -> None:
    """Print the reference of all settings in Markdown."""
    from gateway.config.reference import reference as page  # noqa: PLC0415

    typer.echo(page(), nl=False)
