"""What web pages of other sites may do."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from gateway.config.headers import HeaderName
from gateway.config.section import Duration, Section

__all__ = ["CorsSettings", "CsrfSettings"]

Origin = Annotated[str, Field(pattern=r"^(\*|[a-z][a-z0-9+.-]*://[^/?#\s]+)$")]
"""Scheme, host and port as browsers send them, so that a comparison finds them."""


class CorsSettings(Section):
    """Which pages of other sites may read answers (cross-origin resource sharing). WebSockets follow the same rule."""

    origins: tuple[Origin, ...] = Field(min_length=1)
    """Origins such as ``https://shop.example``, without a path; ``*`` means every one."""
    credentials: bool = False
    """Let these pages send cookies; not together with ``*``."""
    headers: tuple[HeaderName, ...] = ("authorization",)
    """Headers that pages may send besides ``content-type`` and those that every page may send."""
    expose_headers: tuple[HeaderName, ...] = ()
    """Headers of answers that pages may read."""
    max_age: Duration = 600.0
    """Time for which browsers remember the permission."""

    @model_validator(mode="after")
    def _keep_cookies_apart(self) -> CorsSettings:
        if self.credentials and "*" in self.origins:
            raise ValueError('credentials need named origins: with "*" every page could act for whoever is signed in')
        return self


class CsrfSettings(Section):
    """Requests that a page may send without asking the gateway first (cross-site request forgery)."""

    protect_get: bool = False
    """Refuse GET without one of ``headers`` and without a JSON content type. Queries change nothing, so this only
    matters where asking alone counts.
    """
    headers: tuple[HeaderName, ...] = Field(
        default=("graphql-require-preflight", "apollo-require-preflight", "x-apollo-operation-name"), min_length=1
    )
    """Headers of which a request must have one; browsers ask for permission before they send them across sites."""
