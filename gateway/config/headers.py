"""Headers between clients and subgraphs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.config.section import Section

__all__ = [
    "HeaderName",
    "HeaderSettings",
    "HeaderValue",
    "SubgraphHeaderSettings",
    "check_header_name",
    "check_header_value",
]

_OURS = frozenset(
    {
        *(
            "connection",
            "keep-alive",
            "proxy-authenticate",
            "proxy-authorization",
            "te",
            "trailer",
            "transfer-encoding",
        ),
        *(
            "upgrade",
            "host",
            "content-length",
            "content-type",
            "content-encoding",
            "accept",
            "accept-encoding",
            "expect",
        ),
    }
)
"""Headers that belong to a connection or a body, which the gateway makes itself."""


def check_header_name(name: str) -> str:
    """Return the name of a header in lower case.

    Raises:
        ValueError: it is no name, or belongs to one connection or body.
    """
    lowered = name.lower()
    if (
        not lowered
        or not lowered.isascii()
        or any(not (char.isalnum() or char in "!#$%&'*+-.^_`|~") for char in lowered)
    ):
        raise ValueError(f"{name!r} is no name of a header")
    if lowered in _OURS or lowered.startswith("sec-websocket-"):
        raise ValueError(f"{lowered} belongs to one connection, so no rule may name it")
    return lowered


def check_header_value(value: str) -> str:
    """Return the value of a header.

    Raises:
        ValueError: it is not printable ASCII.
    """
    if not value.isascii() or any(ord(char) < 32 for char in value):
        raise ValueError("a value of a header has printable ASCII characters only")
    return value


HeaderName = Annotated[str, AfterValidator(check_header_name)]
HeaderValue = Annotated[str, AfterValidator(check_header_value)]


class SubgraphHeaderSettings(Section):
    """Headers of requests to subgraphs. Nothing of the client is passed on unless it is named."""

    propagate: tuple[HeaderName, ...] = ()
    """Names of headers of the client that are passed on as they are."""
    rename: dict[HeaderName, HeaderName] = Field(default_factory=dict)
    """Headers of the client that are passed on under another name."""
    insert: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """Headers with fixed values; one that is passed on under the same name gives way."""
    remove: tuple[HeaderName, ...] = ()
    """Names of headers that are not sent, whatever the other rules say."""

    def sources(self) -> Iterator[str]:
        """Yield the headers of the client that the rules read."""
        yield from self.propagate
        yield from self.rename

    def targets(self) -> Iterator[str]:
        """Yield the headers that the rules may send."""
        yield from self.propagate
        yield from self.rename.values()
        yield from self.insert


class HeaderSettings(SubgraphHeaderSettings):
    """Headers of requests to every subgraph, and more for single ones. Nothing is passed on unless it is named."""

    subgraphs: dict[str, SubgraphHeaderSettings] = Field(default_factory=dict)
    """Rules for single subgraphs, which come after those for all."""
