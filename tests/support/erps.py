"""The kinds of ERP that keep the same ports: what a suite needs to run against each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Protocol

from sandbox.erp.vendor import Erp
from sandbox.kit.vendor import Vendor
from sandbox.legacy_erp.vendor import LegacyErpSandbox
from schema.enums import SourceSystem
from systems import ports
from systems.business_central import BusinessCentral, BusinessCentralSettings
from systems.legacy_erp import LegacyErp, LegacyErpSettings

__all__ = ["CLOUD", "ERP_PORTS", "HOSTILE", "KINDS", "LEGACY", "ErpConnector", "ErpKind"]

HOSTILE = (
    "x' or 1 eq 1 or number eq 'x",
    "'",
    "''",
    "%27 or 1 eq 1",
    "a&$top=5",
    "a#b?c",
    "ä€\u0000\n",
    ")",
    "x" * 5_000,
)
"""Values that would mean something else to an ERP than themselves, if anything let them out of their place."""


class ErpConnector(
    ports.CustomerMaster,
    ports.CustomerRegistry,
    ports.PriceBook,
    ports.PriceChanges,
    ports.OrderBook,
    ports.InvoiceBook,
    ports.InvoicePostings,
    ports.InvoiceCorrections,
    ports.ReturnBook,
    ports.ReturnDesk,
    Protocol,
):
    """What every ERP does for its customers."""


ERP_PORTS = tuple(port for port in ErpConnector.__mro__[1:] if port.__module__.startswith("systems."))


@dataclass(frozen=True)
class ErpKind:
    """One kind of ERP.

    Attributes:
        keys_per_call: keys that fit into a call; None when the number of calls does not depend on them.
        accounts_per_call: customers whose newest documents fit into a call.
        paths: part of the address of calls, for faults that strike these alone.
        sign_in: what signing in is called towards operators.
        secret: the setting that proves who we are.
        revoke: ends every proof of a signing in that its vendor gave.
        cut: what becomes of a word that the ERP has no code for.
    """

    name: str
    system: SourceSystem
    vendor: Callable[[], Vendor]
    connector: Callable[..., Any]
    settings: Any
    keys_per_call: int | None
    accounts_per_call: int
    paths: Mapping[str, str]
    sign_in: str
    secret: str
    revoke: Callable[[Any], None]
    cut: Callable[[str], str]

    def open(self, url: str, *, observer: ports.CallObserver | None = None, **settings: Any) -> Any:
        """Return a connector to a served sandbox, to be entered."""
        return self.connector(replace(self.settings, base_url=url, **settings), observer=observer)

    def calls(self, keys: int) -> int:
        """Return how many calls a question about so many keys takes."""
        return ceil(keys / self.keys_per_call) if self.keys_per_call else min(keys, 1)


CLOUD = ErpKind(
    "cloud",
    SourceSystem.CLOUD_ERP,
    Erp,
    BusinessCentral,
    BusinessCentralSettings("", "crossdock", "sandbox-erp-secret", timeout_s=2),
    None,
    100,
    {"create order": "orders", "allocate": "allocate", "create return": "returnOrders", "sign in": "token"},
    "sign in",
    "client_secret",
    Erp.revoke_tokens,
    lambda word: word,
)
LEGACY = ErpKind(
    "legacy",
    SourceSystem.LEGACY_ERP,
    LegacyErpSandbox,
    LegacyErp,
    LegacyErpSettings("", "CROSSDOCK", "sandbox-legacy-secret", timeout_s=2),
    50,
    50,
    {"create order": "ORDENT", "allocate": "ORDALC", "create return": "RMAENT", "sign in": "SIGNON"},
    "sign on",
    "password",
    LegacyErpSandbox.end_tickets,
    lambda word: word[:2].upper(),
)
KINDS = (CLOUD, LEGACY)
