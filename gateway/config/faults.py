"""Say what is wrong with settings in the words of those who write them: the key, what it takes, what to do.

Values are not repeated: a secret may stand where it does not belong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

__all__ = ["faults_of"]

_SECTION = "a section of keys is expected; to keep all defaults leave it out"
_WHOLE = "a whole number is expected, without a unit"
_FLAG = "true or false is expected"
_TEXT = 'a text is expected; put it in quotes ("...")'

_WORDS: Mapping[str, str] = {
    "missing": "is needed, and has no default",
    "model_type": _SECTION,
    "model_attributes_type": _SECTION,
    "dict_type": "a map of keys is expected",
    "tuple_type": "a list is expected",
    "list_type": "a list is expected",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": "a number is expected, without a unit",
    "float_parsing": "a number is expected, without a unit",
    "bool_type": _FLAG,
    "bool_parsing": _FLAG,
    "string_type": _TEXT,
    "path_type": _TEXT,
}
_BOUNDS: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": ("ge", "must be at least"),
    "greater_than": ("gt", "must be more than"),
    "less_than_equal": ("le", "must be at most"),
    "less_than": ("lt", "must be less than"),
}
_PATTERNS: Mapping[str, str] = {
    r"^https?://": "must begin with http:// or https://",
    r"^https?://[^?#]+$": "must begin with http:// or https://, and have neither ? nor #",
    r"^(https?|wss?)://": "must begin with http://, https://, ws:// or wss://",
    r"^(rediss?|unix)://": "must begin with redis://, rediss:// or unix://",
    r"^/[^?#]+$": "must begin with /, and have neither ? nor #",
    r"^/[^#\s]*$": "must begin with /, and have neither # nor blanks",
    r"^(\*|[a-z][a-z0-9+.-]*://[^/?#\s]+)$": "must be * or an origin such as https://shop.example, without a path",
    r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$": "must be package.module:Name",
}
"""What patterns mean; one that is not here is said as it is."""


def faults_of(model: type[BaseModel], error: ValidationError) -> list[str]:
    """Return one line for each fault, those that follow from another one left out."""
    lines: list[str] = []
    told: list[tuple[int | str, ...]] = []
    for fault in error.errors():
        where = tuple(part for part in fault["loc"] if part != "[key]")
        if any(one[: len(where)] == where and len(one) > len(where) for one in told):
            continue  # a list that is short of an item which was refused
        told.append(where)
        key = ".".join(map(str, where)) or "settings"
        lines.append(f"{key}: {_said(model, where, fault['type'], fault['msg'], fault.get('ctx', {}))}")
    return lines


def _said(
    model: type[BaseModel], where: tuple[int | str, ...], kind: str, message: str, context: Mapping[str, Any]
) -> str:
    if kind == "extra_forbidden":
        return _unknown(str(where[-1]), sorted(_accepted_keys(model, where[:-1])))
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {context[name]}"
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], f"must match {context['pattern']}")
    if kind == "literal_error":
        return f"must be {context['expected']}"
    return _WORDS.get(kind, message.removeprefix("Value error, "))


def _unknown(key: str, accepted: list[str]) -> str:
    meant = get_close_matches(key, accepted, 1)
    guess = f"did you mean {meant[0]}? " if meant else ""
    return f"unknown key; {guess}accepted here: {', '.join(accepted)}"


def _accepted_keys(model: type[BaseModel], location: Iterable[int | str]) -> list[str]:
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
