"""What every program of the distribution graph is made of, whatever it does with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from crossdock.settings import CrossdockSettings
from crossdock.wiring.clock import SystemClock
from crossdock.wiring.platform import Platform, open_platform
from crossdock.wiring.systems import Systems, open_systems
from processes.dependencies import Dependencies
from processes.rules.tokens import TokenSigner
from processes.worker import EngineSettings
from subgraphs.claims import ClaimsReader
from systems.ports import Clock

__all__ = ["Parts", "open_parts"]


@dataclass(frozen=True, slots=True)
class Parts:
    """Systems, ledgers, keys and the clock of one program."""

    settings: CrossdockSettings
    platform: Platform
    systems: Systems
    clock: Clock
    price_signer: TokenSigner
    claims: ClaimsReader

    def dependencies(self) -> Dependencies:
        """Return the ports that processes use."""
        platform, systems = self.platform, self.systems
        return Dependencies(
            crm=systems.crm,
            erp=systems.erp,
            wms=systems.wms,
            tms=systems.tms,
            orders=platform.orders,
            quotes=platform.quotes,
            reservations=platform.reservations,
            tasks=platform.tasks,
            keys=platform.keys,
            process_log=platform.process_log,
            dead_letters=platform.dead_letters,
            events=platform.events,
            clock=self.clock,
            price_signer=self.price_signer,
        )

    def engine_settings(self) -> EngineSettings:
        """Return where and as whom this program carries processes."""
        return EngineSettings(self.settings.database, executor_id=f"slot-{self.settings.processes.slot}")


@asynccontextmanager
async def open_parts(settings: CrossdockSettings) -> AsyncIterator[Parts]:
    """Open ledgers and systems.

    Raises:
        ValueError: the database's URL is not one of a platform database.
        Unavailable: the database does not answer.
    """
    async with open_platform(settings.database, settings.redis) as platform, open_systems(settings.systems) as systems:
        yield Parts(
            settings=settings,
            platform=platform,
            systems=systems,
            clock=SystemClock(),
            price_signer=TokenSigner(settings.price_token_key.encode()),
            claims=ClaimsReader(settings.claims_key),
        )
