"""The accounts subgraph over systems in memory, and some who ask it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from gateway.server.claims import ClaimsSigner
from gateway.server.principal import Principal
from resolvers.accounts.ports import AccountPorts
from schema.enums import CaseStatus, SourceSystem
from schema.records.accounts import Account, Contact, ServiceCase, Territory, User
from schema.records.values import ExternalRef
from subgraphs.accounts.app import build_accounts
from subgraphs.claims import HEADER, ClaimsReader
from tests.support import rule_records as rules
from tests.support.fake_systems import FakeClock, FakeCrm, FakeErp, Kept, Script, account, opportunity
from tests.support.no_merges import NoMerges

KEY = "a secret of subgraphs"


NOW = rules.NOW


GULF = Territory("ter_1", "T1", "Gulf")


ANN = User("usr_ann", "Ann Example", ("SALES",))


def person(subject: str = "user:usr_ann", *roles: str, scopes: tuple[str, ...] = (), **claims: Any) -> Principal:
    return Principal(subject, frozenset(scopes), claims=(("roles", roles), *claims.items()))


def customer(*accounts: str, roles: tuple[str, ...] = ("PORTAL_BUYER",), scopes: tuple[str, ...] = ()) -> Principal:
    return person("user:usr_buyer", *roles, scopes=scopes, accounts=accounts)


DESK = person("user:usr_ann", "SERVICE_DESK", scopes=("credit:read",))


CONTROLLER = person("user:usr_cred", "CREDIT_CONTROLLER", scopes=("credit:read",))


BUYER = customer("acc_1")


def case(number: int, status: CaseStatus = CaseStatus.OPEN, account_id: str = "acc_1") -> ServiceCase:
    opened = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=number)
    return ServiceCase(f"cas_{number}", account_id, f"{number}", "Late", status, "HIGH", opened, None, None, "ord_77")


class Untouched:
    """A ledger that no question about accounts may touch; readers are made over some of its questions."""

    def __init__(self, *bound: str) -> None:
        self._bound = bound

    def __getattr__(self, name: str) -> Any:
        assert name in self._bound, f"{name} was asked of a ledger"

        async def asked(_: object) -> Any:
            raise AssertionError(f"{name} was asked of a ledger")

        return asked


@dataclass
class World:
    """A subgraph over systems in memory; ``calls`` are those that the last question cost."""

    script: Script = field(default_factory=Script)
    kept: Kept = field(default_factory=Kept)

    def __post_init__(self) -> None:
        self.crm = FakeCrm(self.script, self.kept)
        self.erp = FakeErp(self.script, self.kept)
        untouched: Any = Untouched()
        ports = AccountPorts(
            directory=self.crm,
            sales=self.crm,
            cases=self.crm,
            customers=self.erp,
            clock=FakeClock(NOW),
            ledger=untouched,
            erp_orders=self.erp,
            keys=untouched,
            events=untouched,
            onboardings=Untouched("onboardings"),
            merges=NoMerges(),
            processes=Untouched("processes"),
            starter=untouched,
        )
        self.app = build_accounts(ports, ClaimsReader(KEY))
        self.crm.users_by_id[ANN.id] = ANN
        self.crm.territories_by_id[GULF.id] = GULF
        self.add(
            account(
                owner_id=ANN.id,
                parent_id="acc_top",
                bill_to_id="acc_top",
                territory=GULF,
                refs=(ExternalRef(SourceSystem.CRM, "001A"),),
            )
        )
        self.add(account("acc_top", "C-10000", name="Example Group"))
        self.add(account("acc_sib", "C-10043", name="Example Sister", parent_id="acc_top"))

    def add(self, record: Account, **terms: Any) -> None:
        """Add an account with terms and one of everything that accounts have."""
        self.crm.known[record.id] = record
        known = rules.terms(account=record.id, **terms)
        ref = known.ref if record.id == "acc_1" else ExternalRef(SourceSystem.CLOUD_ERP, f"erp {record.id}")
        self.erp.terms_by_account[record.id] = replace(known, number=record.number, ref=ref)
        name = record.id.removeprefix("acc_")
        self.erp.places[f"shp_{name}"] = replace(rules.ship_to(), id=f"shp_{name}", account_id=record.id)
        self.crm.people[f"con_{name}"] = Contact(
            f"con_{name}", record.id, "Bo Example", "bo@example.com", None, "Buyer"
        )
        self.crm.opportunities_by_id[f"opp_{name}"] = opportunity(f"opp_{name}", record.id, owner_id=ANN.id)
        self.crm.cases_by_id[f"cas_{name}"] = replace(case(0, account_id=record.id), id=f"cas_{name}")

    async def ask(self, query: str, who: Principal | None = DESK, **variables: Any) -> dict[str, Any]:
        """Return the whole answer."""
        self.script.calls.clear()
        headers = {} if who is None else dict([ClaimsSigner(HEADER, KEY, 60).header(who)])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://accounts") as http:
            sent = await http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        answer: dict[str, Any] = sent.json()
        return answer

    async def data(self, query: str, who: Principal | None = DESK, **variables: Any) -> Any:
        """Return what an answer without errors tells."""
        answer = await self.ask(query, who, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def entities(self, type_name: str, fields: str, *keys: dict[str, Any], who: Principal | None = DESK) -> Any:
        """Return what representations resolve to."""
        query = f"query ($r: [_Any!]!) {{ _entities(representations: $r) {{ ... on {type_name} {{ {fields} }} }} }}"
        wanted = [{"__typename": type_name, **key} for key in keys]
        return (await self.data(query, who, r=wanted))["_entities"]

    async def error(self, query: str, who: Principal | None = DESK) -> dict[str, Any]:
        """Return the first error of an answer."""
        first: dict[str, Any] = (await self.ask(query, who))["errors"][0]
        return first


@contextmanager
def accounts_world() -> Iterator[World]:
    """Open a world without accounts."""
    made = World()
    yield made
    made.kept.close()
