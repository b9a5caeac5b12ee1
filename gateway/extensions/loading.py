"""Make the extensions that the settings name."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from gateway.config import ExtensionSettings
from gateway.errors import ConfigError
from gateway.extensions.extension import Extension

__all__ = ["load_extensions"]


def load_extensions(settings: Sequence[ExtensionSettings]) -> tuple[Extension, ...]:
    """Return the extensions in the order in which the settings name them.

    Raises:
        ConfigError: a path cannot be imported, leads to something else, or does not take its settings.
    """
    return tuple(_load(f"extensions.{place}", one) for place, one in enumerate(settings))


def _load(where: str, settings: ExtensionSettings) -> Extension:
    factory = _find(f"{where}.use", settings.use)
    if not callable(factory):
        raise ConfigError(f"{where}.use: {settings.use} is a {type(factory).__name__}; name a class or a function")
    try:
        made = factory(**settings.with_)
    except ConfigError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{where}.with: {settings.use} does not take these settings: {said}") from error
    if not isinstance(made, Extension):
        said = f"which is no gateway.extensions.Extension: {settings.use} must be a subclass of it, or return one"
        raise ConfigError(f"{where}.use: {settings.use} gives a {type(made).__name__}, {said}")
    return made


def _find(where: str, path: str) -> Any:
    module_name, _, attributes = path.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        what = "install its package, or put its folder into PYTHONPATH"
        raise ConfigError(f"{where}: {path} cannot be imported: {error}; {what}") from error
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{where}: {path} failed while it was imported: {said}") from error
    for name in attributes.split("."):
        if not hasattr(found, name):
            raise ConfigError(f"{where}: {path} cannot be imported: {module_name} has no {attributes}")
        found = getattr(found, name)
    return found
