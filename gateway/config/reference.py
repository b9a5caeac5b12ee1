"""The reference of the settings as a page, made from the models, so that it cannot say something else than they do."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.config.models import GatewaySettings
from gateway.config.section import Duration

__all__ = ["reference"]

_INTRODUCTION = """# Configuration of the gateway

One YAML or JSON file, given with `--config`. Every key is optional unless it says otherwise; unknown keys are refused.
`${NAME}` and `${NAME:-default}` inside strings are replaced from the environment, the only way for secrets to come in.
Durations are written with their unit (`500ms`, `5s`, `2m`, `1h`); a plain number is refused, since nobody could tell
what it counts. Sizes are bytes, as plain numbers. A key that is there twice is refused, too.

`crossdock config validate FILE` checks a file, `crossdock config schema` prints the JSON schema, and
`crossdock config reference` prints this page, which is made from the settings themselves.
"""

_UNITS = ((3600.0, "h"), (60.0, "m"), (1.0, "s"), (0.001, "ms"))
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def reference() -> str:
    """Return the page in Markdown."""
    parts = [_INTRODUCTION]
    for path, model in _sections("", GatewaySettings):
        if path:
            parts.append(f"## `{path}`\n\n{_text(model.__doc__)}\n")
        rows = [_row(field.alias or name, field) for name, field in model.model_fields.items()]
        parts.append("\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _sections(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        for inner, suffix in _models(field.annotation, ""):
            yield from _sections(f"{path}.{name}{suffix}".lstrip("."), inner)


def _models(annotation: Any, suffix: str) -> Iterator[tuple[type[BaseModel], str]]:
    """Yield the models inside a type with how one gets there: ``[]`` for lists, ``.<name>`` for maps."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, suffix
        return
    origin = get_origin(annotation)
    more = {tuple: "[]", dict: ".<name>"}.get(origin, "") if origin is not None else ""
    for argument in get_args(annotation):
        yield from _models(argument, suffix + more)


def _row(name: str, field: FieldInfo) -> str:
    cells = (f"`{name}`", _value(field), _default(field), _text(field.description))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _value(field: FieldInfo) -> str:
    bounds = [
        f"{words} {getattr(item, key)}"
        for item in field.metadata
        for key, words in _BOUNDS.items()
        if getattr(item, key, None) is not None
    ]
    return ", ".join(["duration" if _is_duration(field) else _type(field.annotation), *bounds])


def _is_duration(field: FieldInfo) -> bool:
    wanted = get_args(Duration)[1:]
    return all(item in field.metadata for item in wanted) or "BeforeValidator" in repr(field.annotation)


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{item}`" for item in arguments)
    if origin in {Union, UnionType}:
        return " or ".join(_type(item) for item in arguments if item is not NoneType)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"map of {_type(arguments[0])} to {_type(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return _NAMES.get(getattr(annotation, "__name__", ""), "text")


_NAMES = {"str": "text", "int": "number", "float": "number", "bool": "true or false", "Path": "path", "Any": "any"}


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel) or value is None or value in ((), {}):
        return "" if isinstance(value, BaseModel) else "none"
    if _is_duration(field):
        return f"`{_duration(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return ", ".join(f"`{item}`" for item in value) if isinstance(value, tuple) else f"`{value}`"


def _duration(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:g}{unit}"
    return f"{seconds * 1000:g}ms"


def _text(words: str | None) -> str:
    return " ".join((words or "").replace("``", "`").split())
