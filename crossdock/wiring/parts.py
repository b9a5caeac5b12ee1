"""What every program of the distribution graph is made of, whatever it does with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from crossdock.served_times import ServedTimes
from crossdock.settings import CrossdockSettings
from crossdock.wiring.clock import SystemClock
from crossdock.wiring.platform import Platform, open_platform
from crossdock.wiring.systems import Systems, open_systems
from crossdock.wiring.territories import territory_rules
from processes.dependencies import Dependencies
from processes.fallbacks import FALLBACKS, Operation
from processes.rules.tokens import TokenSigner
from processes.steps import RetryPolicy
from processes.worker import EngineSettings
from resolvers.rows import RowRules
from schema.enums import SourceSystem
from subgraphs.claims import ClaimsReader
from systems.memory import Memory
from systems.ports import Clock
from systems.stock_fallback import RememberingFloor

__all__ = ["Parts", "open_parts"]

MEMORY_WITHIN = FALLBACKS[SourceSystem.CLOUD_ERP, Operation.PRICE].within or timedelta()
"""How long what the ERP said answers for it while it is out."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Systems, ledgers, keys and the clock of one program."""

    settings: CrossdockSettings
    platform: Platform
    systems: Systems
    floor: RememberingFloor
    memory: Memory
    clock: Clock
    price_signer: TokenSigner
    claims: ClaimsReader
    rows: RowRules
    served: ServedTimes

    def dependencies(self) -> Dependencies:
        """Return the ports that processes use."""
        platform, systems = self.platform, self.systems
        return Dependencies(
            crm=systems.crm,
            erp=systems.erp,
            postings=systems.postings,
            price_changes=systems.price_changes,
            wms=self.floor,
            tms=systems.tms,
            orders=platform.orders,
            returns=platform.returns,
            cursors=platform.cursors,
            quotes=platform.quotes,
            onboardings=platform.onboardings,
            merges=platform.merges,
            reservations=platform.reservations,
            stock=platform.stock,
            tasks=platform.tasks,
            keys=platform.keys,
            process_log=platform.process_log,
            lines=platform.lines,
            dead_letters=platform.dead_letters,
            events=platform.events,
            clock=self.clock,
            price_signer=self.price_signer,
            territories=territory_rules(self.settings.territories),
        )

    def engine_settings(self) -> EngineSettings:
        """Return where this program carries processes."""
        slow_after_s = self.settings.processes.slow_after
        return EngineSettings(self.settings.database, retries=RetryPolicy(slow_after_s=slow_after_s))


@asynccontextmanager
async def open_parts(settings: CrossdockSettings) -> AsyncIterator[Parts]:
    """Open ledgers and systems.

    Raises:
        ValueError: the database's URL is not one of a platform database.
        Unavailable: the database does not answer.
    """
    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(open_platform(settings.database, settings.redis))
        systems = await stack.enter_async_context(open_systems(settings.systems, platform.orders))
        clock = SystemClock()
        served = await stack.enter_async_context(ServedTimes(platform.events, clock))
        yield Parts(
            settings=settings,
            platform=platform,
            systems=systems,
            floor=RememberingFloor(systems.wms, platform.stock, clock),
            memory=Memory(MEMORY_WITHIN),
            clock=clock,
            price_signer=TokenSigner(settings.price_token_key.encode()),
            claims=ClaimsReader(settings.claims_key),
            rows=RowRules(systems.crm, clock),
            served=served,
        )
