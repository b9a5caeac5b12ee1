"""Code of the operator's own that the gateway runs."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from gateway.config.section import Section

__all__ = ["ExtensionSettings"]


class ExtensionSettings(Section):
    """One extension, in the order in which their hooks run. See ``docs/how-to/extensions.md``."""

    model_config = ConfigDict(serialize_by_alias=True)

    use: str = Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
    """Class or function that makes it, as ``package.module:Name``; imported when the gateway starts."""
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", repr=False)
    """Arguments for it by name; secrets from the environment, as ``${NAME}``."""
