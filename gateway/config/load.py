"""Read settings from a YAML or JSON file or from plain values.

1. ``${NAME}`` and ``${NAME:-default}`` inside strings are replaced from the environment; secrets come in only so.
2. The models check everything at once; each fault is one line with the key, what was wrong and what is accepted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.config.faults import faults_of
from gateway.config.models import GatewaySettings
from gateway.config.section import WRITTEN
from gateway.errors import ConfigError

__all__ = ["load_settings", "read_file", "settings_from", "settings_schema", "validate"]

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")

Model = TypeVar("Model", bound=BaseModel)


def load_settings(path: Path, environment: Mapping[str, str] | None = None) -> GatewaySettings:
    """Return the settings of a file.

    Raises:
        ConfigError: the file cannot be read, or a key or value in it is not accepted.
    """
    return validate(GatewaySettings, read_file(path), environment, path)


def settings_from(values: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> GatewaySettings:
    """Return the settings of plain values.

    Raises:
        ConfigError: a key or value is not accepted; the message lists every fault.
    """
    return validate(GatewaySettings, values, environment)


def read_file(path: Path) -> dict[str, Any]:
    """Return the plain values of a YAML or JSON file.

    Raises:
        ConfigError: the file cannot be read, or holds something else than a mapping.
    """
    from gateway.config.yaml_file import read_yaml  # noqa: PLC0415 - settings from code never need it

    values = read_yaml(path, "the settings")
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: the settings must be a mapping of sections")
    return values


def validate(
    model: type[Model],
    values: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    path: Path | None = None,
) -> Model:
    """Return plain values as ``model``, with references to the environment replaced.

    Args:
        model: what they are to be.
        values: plain values.
        environment: what references lead to; None for that of the process.
        path: file that the values come from, for messages.

    Raises:
        ConfigError: a key or value is not accepted; the message lists every fault.
    """
    where = "" if path is None else f"{path}: "
    faults: list[str] = []
    expanded = _expand(dict(values), os.environ if environment is None else environment, "", faults)
    if len(faults) == 1:
        raise ConfigError(where + faults[0])
    if faults:
        raise ConfigError(f"{where}the settings are not accepted:\n" + "\n".join(f"  {line}" for line in faults))
    try:
        return model.model_validate(expanded, context=WRITTEN)
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in faults_of(model, error))
        raise ConfigError(f"{where}the settings are not accepted:\n{lines}") from error


def settings_schema() -> dict[str, Any]:
    """Return the JSON schema of a settings file."""
    return GatewaySettings.model_json_schema()


def _expand(value: Any, environment: Mapping[str, str], where: str, faults: list[str]) -> Any:
    if isinstance(value, dict):
        return {
            key: _expand(item, environment, f"{where}.{key}" if where else str(key), faults)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_expand(item, environment, f"{where}[{index}]", faults) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    if value.count("${") != len(_REFERENCE.findall(value)):
        faults.append(f"{where}: a reference to the environment must be ${{NAME}} or ${{NAME:-default}}")

    def replace(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        if name in environment:
            return environment[name]
        if default is None:
            faults.append(f"{where}: the environment variable {name} is not set and has no default")
            return ""
        return default

    return _REFERENCE.sub(replace, value)
