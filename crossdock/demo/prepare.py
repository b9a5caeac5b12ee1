"""What the demo starts from: a database with the past that fits the sandboxes' data, and settings for everything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from crossdock.demo.history import history_of
from crossdock.demo.territories import DEMO_TERRITORIES
from crossdock.migrations import upgrade
from crossdock.scenarios import scenarios
from crossdock.settings import CrossdockSettings, SystemSettings
from crossdock.wiring.platform import open_platform
from gateway.config import DevelopmentIdentity, ExampleTab, GatewaySettings, IdentitySettings, ServerSettings
from processes.crm_mirror import pass_over_completions
from processes.invoice_watch import pass_over
from processes.pick_watch import pass_over_releases
from processes.quote_mirror import pass_over_quotes
from processes.quote_superseding import pass_over_prices
from processes.shipment_watch import pass_over_milestones
from sandbox.serve import CREDENTIALS, ERP_COMPANY, WEBHOOK_SECRETS, moment_of
from sandbox.world.generate import generate_world
from schema.events.envelope import EventFilter
from schema.records.identity import EVERYWHERE
from systems.platform.history import import_history

__all__ = ["database_url", "demo_settings", "prepare"]

WHO = DevelopmentIdentity(
    subject="user:usr_1",
    scopes=(
        *("credit:read", "margin:read", "ops:read"),
        *("hold:release", "onboarding:decide", "ops:replay", "quote:approve"),
    ),
    claims={
        "roles": ("SALES_MANAGER", "PRICING_DESK", "SERVICE_DESK", "OPERATIONS", "FINANCE", "CREDIT_CONTROLLER"),
        "territories": (EVERYWHERE,),
        "warehouses": (EVERYWHERE,),
    },
)
"""Everybody who comes to the demo: someone of the distributor who may see it all."""


def database_url(state: Path) -> str:
    """Return the URL of the demo's database."""
    return f"sqlite+aiosqlite:///{(state / 'crossdock.db').absolute()}"


async def prepare(state: Path) -> None:
    """Make the database and bring the past into it, unless it has one.

    Raises:
        ValueError: the folder holds the state of something else.
    """
    url = database_url(state)
    await upgrade(url)
    async with open_platform(url, None) as platform:
        if await platform.events.read(EventFilter(), None, 1):
            return
        moment = moment_of(state / "sandbox")
        world = await asyncio.to_thread(generate_world, moment.seed, moment.now)
        await import_history(platform.database, platform.events.append_in, history_of(world))
        await pass_over(platform.events, platform.cursors)
        await pass_over_completions(platform.events, platform.cursors)
        await pass_over_releases(platform.events, platform.cursors)
        await pass_over_quotes(platform.events, platform.cursors)
        await pass_over_prices(platform.events, platform.cursors)
        await pass_over_milestones(platform.events, platform.cursors)


def demo_settings(state: Path, systems: Mapping[str, str], secret: str) -> CrossdockSettings:
    """Return settings of the embedded form over sandboxes.

    Args:
        state: folder of the database.
        systems: addresses of the sandboxes by name.
        secret: made anew for every run; signs what only lives as long.
    """
    access: dict[str, dict[str, str]] = {
        name: {"url": url, **CREDENTIALS[name]} for name, url in systems.items() if name in CREDENTIALS
    }
    access["erp"]["company"] = ERP_COMPANY
    for name, key in WEBHOOK_SECRETS.items():
        access[name]["webhook_secret"] = key
    return CrossdockSettings(
        database=database_url(state),
        claims_key=f"claims {secret}",
        price_token_key=f"prices {secret}",
        systems=SystemSettings.model_validate(access),
        territories=DEMO_TERRITORIES,
        gateway=GatewaySettings(
            server=ServerSettings(examples=tuple(_tabs())),
            identity=IdentitySettings(development_identity=WHO),
        ),
    )


def _tabs() -> list[ExampleTab]:
    return [ExampleTab(title=entry.title, query=entry.query, variables=entry.variables) for entry in scenarios()]
