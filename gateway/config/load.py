"""Read settings from a YAML or JSON file or from plain values.

1. ``${NAME}`` and ``${NAME:-default}`` inside strings are replaced from the environment; secrets come in only so.
2. The models check everything at once; each fault is one line with the key, what was wrong and what is accepted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from gateway.config.models import GatewaySettings
from gateway.errors import ConfigError

__all__ = ["load_settings", "read_file", "settings_from", "settings_schema", "validate"]

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")

Model = TypeVar("Model", bound=BaseModel)


def load_settings(path: Path, environment: Mapping[str, str] | None = None) -> GatewaySettings:
    """Return the settings of a file.

    Raises:
        ConfigError: the file cannot be read, or a key or value in it is not accepted.
    """
    return settings_from(read_file(path), environment)


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
    import yaml  # noqa: PLC0415 - settings from code never need it

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: the settings cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the settings are not valid YAML: {error}") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: the settings must be a mapping of sections")
    return values


def validate(model: type[Model], values: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Model:
    """Return plain values as ``model``, with references to the environment replaced.

    Raises:
        ConfigError: a key or value is not accepted; the message lists every fault.
    """
    expanded = _expand(dict(values), os.environ if environment is None else environment, "")
    try:
        return model.model_validate(expanded)
    except ValidationError as error:
        lines = [_describe(model, fault["loc"], fault["type"], fault["msg"]) for fault in error.errors()]
        raise ConfigError("the settings are not accepted:\n" + "\n".join(f"  {line}" for line in lines)) from error


def settings_schema() -> dict[str, Any]:
    """Return the JSON schema of a settings file."""
    return GatewaySettings.model_json_schema()


def _expand(value: Any, environment: Mapping[str, str], where: str) -> Any:
    if isinstance(value, dict):
        return {key: _expand(item, environment, f"{where}.{key}" if where else str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, environment, f"{where}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        if name in environment:
            return environment[name]
        if default is None:
            raise ConfigError(f"{where}: the environment variable {name} is not set and has no default")
        return default

    return _REFERENCE.sub(replace, value)


def _describe(model: type[BaseModel], location: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(map(str, location)) or "settings"
    if kind == "extra_forbidden":
        accepted = ", ".join(sorted(_accepted_keys(model, location[:-1])))
        return f"{key}: unknown key; accepted here: {accepted}"
    return f"{key}: {message.removeprefix('Value error, ')}"


def _accepted_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        field = model.model_fields.get(str(part))
        found = _model_of(field.annotation) if field is not None else None
        if found is not None:
            model = found
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_of, get_args(annotation))), None)
