"""A call to a resource and the reply to it, whether alone or as a part of a composite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Call", "Reply"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call to a resource.

    Attributes:
        method: the HTTP method.
        base: path of the API's version.
        path: what follows it, still percent-encoded, without a slash at its beginning.
        params: the query string.
        body: the JSON object of the request, empty without one.
        options: the header ``Sforce-Query-Options``.
        client: who calls, by the header ``Sforce-Call-Options``; empty for people.
    """

    method: str
    base: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    options: str = ""
    client: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, JSON (None for an empty body) and further headers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
