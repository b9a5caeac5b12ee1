"""What makes one sandbox the CRM and another the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from starlette.responses import Response
from starlette.routing import BaseRoute

from sandbox.kit.store import Store
from sandbox.world.model import WorldModel

if TYPE_CHECKING:
    from sandbox.kit.host import Host

__all__ = ["Vendor"]


class Vendor(Protocol):
    """A system's protocol over its tables.

    Attributes:
        name: short name, also of the sandbox: crm, erp, wms, tms.
        schema: SQL that makes the tables if they are not there.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - said above

    @property
    def schema(self) -> str: ...  # noqa: D102 - said above

    def seed(self, store: Store, world: WorldModel) -> None:
        """Fill an empty store; called once, within a transaction."""
        ...

    def routes(self, host: Host) -> Sequence[BaseRoute]:
        """Return the routes of the vendor's protocol."""
        ...

    def failure(self, status: int, message: str) -> Response:
        """Return an error in the vendor's format, for faults and for what its handlers did not expect."""
        ...

    async def work(self, host: Host) -> None:
        """Do what the system does by itself as its clock runs, until cancelled; return at once if there is nothing."""
        ...
