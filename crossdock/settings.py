"""The settings of the whole: one ``crossdock.yaml``, frozen, read once, refused when a key is unknown.

``${NAME}`` and ``${NAME:-default}`` are replaced from the environment; secrets come in only so. Durations are written
as ``"500ms"``, ``"5s"``, ``"2m"``, ``"1h"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.config import GatewaySettings, read_file, validate
from gateway.config.section import Duration

__all__ = [
    "BusinessCentralAccess",
    "CrossdockSettings",
    "LegacyErpAccess",
    "SalesforceAccess",
    "SystemSettings",
    "TerritorySettings",
    "TransportAccess",
    "WarehouseAccess",
    "load",
    "schema",
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class _Access(_Section):
    url: str = Field(pattern=r"^https?://")
    """Address under which the system's paths lie."""
    timeout: Duration = 5.0
    """Deadline of one call with all of its attempts."""
    budget: Duration | None = None
    """Time in which it is expected to answer; three tenths of ``timeout`` when not set. It is left alone for 30 s when
    the p95 of at least 20 answers in 30 s is beyond three budgets. One that is slow by nature wants a larger one; from
    a third of ``timeout`` on only calls without an answer count."""
    max_connections: int = Field(default=20, ge=1, le=200)
    """Connections kept at most; further calls wait within their deadline."""


class SalesforceAccess(_Access):
    """The CRM."""

    client_id: str
    """Client of the OAuth2 client-credentials flow."""
    client_secret: str = Field(repr=False)
    """Its secret; from the environment."""
    webhook_secret: str | None = Field(default=None, repr=False)
    """Secret that signs its webhooks; from the environment. Without one it has no door."""


class BusinessCentralAccess(_Access):
    """The ERP."""

    client_id: str
    """Client of the OAuth2 client-credentials flow."""
    client_secret: str = Field(repr=False)
    """Its secret; from the environment."""
    company: str
    """Name of the company whose books are used."""


class LegacyErpAccess(_Access):
    """The legacy ERP, by the façade before its programs."""

    user: str
    """User that signs on."""
    password: str = Field(repr=False)
    """Its password; from the environment."""


class WarehouseAccess(_Access):
    """The warehouse system."""

    api_key: str = Field(repr=False)
    """Bearer key; from the environment."""
    webhook_secret: str = Field(repr=False)
    """Secret that signs its webhooks; from the environment."""


class TransportAccess(_Access):
    """The transport system."""

    api_key: str = Field(repr=False)
    """Bearer key; from the environment."""
    webhook_secret: str = Field(repr=False)
    """Secret that signs its webhooks; from the environment."""


class SystemSettings(_Section):
    """The systems of record."""

    crm: SalesforceAccess
    """Customers, contacts, opportunities and cases."""
    erp: BusinessCentralAccess
    """Items, prices, credit, orders and invoices."""
    legacy_erp: LegacyErpAccess | None = None
    """Credit, contracts, orders and invoices of customers that have not moved to the other ERP; none when all have."""
    wms: WarehouseAccess
    """Stock, releases and shipments."""
    tms: TransportAccess
    """Carriers, tracking and milestones."""


class ProcessSettings(_Section):
    """How processes treat the systems they work with."""

    slow_after: Duration = 1.5
    """How long one attempt at a system may take before whoever waits for the process is told that it waits."""


class TerritorySettings(_Section):
    """Whose new customers they are. The closest match counts: name, then postal code, region, country."""

    territory: str
    """Id of the territory, as the CRM carries it."""
    owner: str
    """Id of who looks after its new customers."""
    countries: tuple[str, ...] = Field(min_length=1)
    """Countries that it is about, by ISO 3166-1 alpha-2 code."""
    regions: tuple[str, ...] = ()
    """Regions of them, by the part after the dash of ISO 3166-2; none is all that no other territory has."""
    postal_prefixes: tuple[str, ...] = ()
    """What postal codes begin with, instead of regions."""
    accounts: tuple[str, ...] = ()
    """Names of customers that belong to it wherever they are in these countries."""


class CrossdockSettings(_Section):
    """All settings."""

    database: str = "sqlite+aiosqlite:///var/crossdock.db"
    """The platform's own database: an SQLite file, or ``postgresql+psycopg://user:password@host/name``."""
    redis: str | None = None
    """Redis that carries news of events between processes; None for one process alone."""
    claims_key: str = Field(min_length=16, repr=False)
    """Secret by which the gateway proves to subgraphs who asks, at least 16 characters; from the environment."""
    price_token_key: str = Field(min_length=32, repr=False)
    """Secret that signs price tokens, at least 32 characters; from the environment."""
    systems: SystemSettings
    """Where the systems are and how to sign in."""
    processes: ProcessSettings = ProcessSettings()
    """The patience of processes with systems."""
    territories: tuple[TerritorySettings, ...] = ()
    """Sales territories of new customers; what none of them covers a person assigns."""
    gateway: GatewaySettings = GatewaySettings()
    """The gateway; see its own documentation."""


def load(path: Path, environment: Mapping[str, str] | None = None) -> CrossdockSettings:
    """Return the settings of a file.

    Raises:
        ConfigError: the file cannot be read, or a key or value in it is not accepted.
    """
    return validate(CrossdockSettings, read_file(path), environment, path)


def schema() -> dict[str, Any]:
    """Return the JSON schema of the settings."""
    return CrossdockSettings.model_json_schema()
