"""The accounts subgraph as callers meet it: what it tells, to whom, at what cost, and without which system."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest

from gateway.server.claims import ClaimsSigner
from gateway.server.principal import Principal
from resolvers.accounts.ports import AccountPorts
from schema.enums import AccountStatus, CaseStatus, ErpHome, SourceSystem
from schema.graphql.paging import MAX_FIRST
from schema.records.accounts import Account, Contact, ServiceCase, TaxRegistration, Territory, User
from schema.records.values import ExternalRef
from subgraphs.accounts.app import accounts_schema, build_accounts
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


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.kept.close()


class TestAccounts:
    async def test_an_account_is_told_from_crm_and_erp_at_once(self, world: World):
        registration = TaxRegistration("VAT", "X1", "US-TX", exempt=True, certificate_expires=None, verified_at=NOW)
        world.add(world.crm.known["acc_1"], registrations=(registration,))
        fields = """
          id number name legalName status version erpHome currency paymentTerms priceGroup
          parent { number } billTo { number } territory { id code name } owner { id name roles }
          taxRegistrations { kind number jurisdiction exempt certificateExpires verifiedAt }
          externalRefs { system id current }
          contacts { id name email phone role }
          shipTos { totalCount nodes { id code active deliveryDays taxJurisdiction address { line1 } account { id } } }
          opportunities { nodes { id name stage amount { amount } closeDate account { id } owner { id } } }
          cases { nodes { id number subject status priority openedAt order { id } account { id } } }
        """
        assert (await world.data(f'{{ account(id: "acc_1") {{ {fields} }} }}'))["account"] == {
            "id": "acc_1",
            "number": "C-10042",
            "name": "Example Pumps",
            "legalName": None,
            "status": "ACTIVE",
            "version": 1,
            "erpHome": "CLOUD_ERP",
            "currency": "USD",
            "paymentTerms": "NET30",
            "priceGroup": "GOLD",
            "parent": {"number": "C-10000"},
            "billTo": {"number": "C-10000"},
            "territory": {"id": "ter_1", "code": "T1", "name": "Gulf"},
            "owner": {"id": "usr_ann", "name": "Ann Example", "roles": ["SALES"]},
            "taxRegistrations": [
                {
                    "kind": "VAT",
                    "number": "X1",
                    "jurisdiction": "US-TX",
                    "exempt": True,
                    "certificateExpires": None,
                    "verifiedAt": "2026-03-04T15:00:00Z",
                }
            ],
            "externalRefs": [
                {"system": "CRM", "id": "001A", "current": True},
                {"system": "CLOUD_ERP", "id": "42", "current": True},
            ],
            "contacts": [
                {"id": "con_1", "name": "Bo Example", "email": "bo@example.com", "phone": None, "role": "Buyer"}
            ],
            "shipTos": {
                "totalCount": 1,
                "nodes": [
                    {
                        "id": "shp_1",
                        "code": "MAIN",
                        "active": True,
                        "deliveryDays": [],
                        "taxJurisdiction": None,
                        "address": {"line1": "1 Example Road"},
                        "account": {"id": "acc_1"},
                    }
                ],
            },
            "opportunities": {
                "nodes": [
                    {
                        "id": "opp_1",
                        "name": "Spring pumps",
                        "stage": "Proposal",
                        "amount": None,
                        "closeDate": None,
                        "account": {"id": "acc_1"},
                        "owner": {"id": "usr_ann"},
                    }
                ]
            },
            "cases": {
                "nodes": [
                    {
                        "id": "cas_1",
                        "number": "0",
                        "subject": "Late",
                        "status": "OPEN",
                        "priority": "HIGH",
                        "openedAt": "2026-03-01T00:00:00Z",
                        "order": {"id": "ord_77"},
                        "account": {"id": "acc_1"},
                    }
                ]
            },
        }

    async def test_children_are_listed_by_number(self, world: World):
        found = await world.data(
            '{ account(id: "acc_top") { parent { id } children { nodes { number } totalCount } } }'
        )
        children = {"nodes": [{"number": "C-10042"}, {"number": "C-10043"}], "totalCount": 2}
        assert found == {"account": {"parent": None, "children": children}}

    @pytest.mark.parametrize(
        "root",
        [
            pytest.param('account(id: "acc_1")', id="id"),
            pytest.param('accountByNumber(number: "C-10042")', id="number"),
            pytest.param('accountByExternalRef(system: CRM, externalId: "001A")', id="id in the CRM"),
            pytest.param('accountByExternalRef(system: CLOUD_ERP, externalId: "42")', id="id in the ERP"),
        ],
    )
    async def test_an_account_is_found_by_each_of_its_names_by_who_may_see_it(self, world: World, root: str):
        query = f"{{ found: {root} {{ id }} }}"
        for who, found in (
            (DESK, {"id": "acc_1"}),
            (BUYER, {"id": "acc_1"}),
            (customer("acc_sib"), None),
            (None, None),
        ):
            assert await world.data(query, who) == {"found": found}

    @pytest.mark.parametrize(
        "root",
        [
            pytest.param('account(id: "acc_x")', id="id"),
            pytest.param('accountByNumber(number: "")', id="number"),
            pytest.param('accountByExternalRef(system: CRM, externalId: "42")', id="another system's id"),
            pytest.param('accountByExternalRef(system: LEGACY_ERP, externalId: "42")', id="another ERP's id"),
            pytest.param('accountByExternalRef(system: WMS, externalId: "42")', id="a system without such ids"),
            pytest.param('serviceCase(id: "cas_x")', id="case"),
        ],
    )
    async def test_what_nobody_knows_is_null(self, world: World, root: str):
        assert await world.data(f"{{ found: {root} {{ id }} }}") == {"found": None}

    async def test_a_system_that_has_no_ids_for_accounts_is_not_asked(self, world: World):
        await world.data('{ accountByExternalRef(system: TMS, externalId: "42") { id } }')
        assert world.script.calls == []

    async def test_an_erp_id_that_the_crm_knows_too_is_told_once(self, world: World):
        world.crm.known["acc_1"] = account(refs=(ExternalRef(SourceSystem.CLOUD_ERP, "42"),))
        found = await world.data('{ account(id: "acc_1") { externalRefs { id } } }')
        assert found["account"]["externalRefs"] == [{"id": "42"}]

    async def test_an_account_that_no_erp_knows_has_no_terms(self, world: World):
        del world.erp.terms_by_account["acc_1"]
        fields = "currency paymentTerms taxRegistrations { kind } credit { onHold } externalRefs { system }"
        assert await world.data(f'{{ account(id: "acc_1") {{ {fields} }} }}') == {
            "account": {
                "currency": None,
                "paymentTerms": None,
                "taxRegistrations": [],
                "credit": None,
                "externalRefs": [{"system": "CRM"}],
            }
        }


class TestLists:
    async def test_accounts_come_by_number_page_by_page(self, world: World):
        query = "query ($a: String) { accounts(first: 2, after: $a) { totalCount nodes { number } %s } }"
        query %= "pageInfo { hasNextPage hasPreviousPage endCursor }"
        first = (await world.data(query))["accounts"]
        assert [node["number"] for node in first["nodes"]] == ["C-10000", "C-10042"]
        assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (3, True)
        rest = (await world.data(query, a=first["pageInfo"]["endCursor"]))["accounts"]
        assert [node["number"] for node in rest["nodes"]] == ["C-10043"]
        assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)

    async def test_the_crm_is_asked_for_what_is_wanted(self, world: World):
        world.add(account("acc_hold", "C-1", status=AccountStatus.ON_HOLD))
        found = await world.data("{ accounts(filter: {status: ON_HOLD}) { nodes { id } } }")
        assert found["accounts"]["nodes"] == [{"id": "acc_hold"}]

    @pytest.mark.parametrize(
        ("where", "numbers"),
        [
            pytest.param("{}", ["C-10042", "C-10043"], id="everything"),
            pytest.param('{text: "example p"}', ["C-10042"], id="start of the name"),
            pytest.param('{text: "c-1004"}', ["C-10042", "C-10043"], id="start of the number"),
            pytest.param('{text: "Pumps"}', [], id="the middle of the name"),
            pytest.param("{status: ON_HOLD}", ["C-10043"], id="status"),
            pytest.param('{territoryId: "ter_1"}', ["C-10042"], id="territory"),
            pytest.param("{erpHome: LEGACY_ERP}", ["C-10043"], id="ERP"),
            pytest.param('{ownerId: "usr_ann", status: ON_HOLD}', [], id="all conditions hold together"),
        ],
    )
    async def test_a_customer_lists_the_accounts_of_its_claim(self, world: World, where: str, numbers: list[str]):
        world.add(replace(world.crm.known["acc_sib"], status=AccountStatus.ON_HOLD, erp_home=ErpHome.LEGACY_ERP))
        who = customer("acc_sib", "acc_1", "acc_unknown", "acc_1")
        found = (await world.data(f"{{ accounts(filter: {where}) {{ totalCount nodes {{ number }} }} }}", who))[
            "accounts"
        ]
        assert [node["number"] for node in found["nodes"]] == numbers
        assert found["totalCount"] == len(numbers)
        assert world.script.calls == ["accounts"]

    async def test_a_customer_goes_on_behind_the_last_row(self, world: World):
        who = customer("acc_sib", "acc_1")
        query = "query ($a: String) { accounts(first: 1, after: $a) { nodes { number } pageInfo { endCursor } } }"
        first = (await world.data(query, who))["accounts"]
        rest = (await world.data(query, who, a=first["pageInfo"]["endCursor"]))["accounts"]
        assert [page["nodes"][0]["number"] for page in (first, rest)] == ["C-10042", "C-10043"]

    async def test_a_stranger_lists_nothing_and_no_system_is_asked(self, world: World):
        assert await world.data("{ accounts { totalCount nodes { id } } }", None) == {
            "accounts": {"totalCount": 0, "nodes": []}
        }
        assert world.script.calls == []

    @pytest.mark.parametrize(
        ("argument", "ids"),
        [
            pytest.param("", ["cas_3", "cas_1"], id="open ones, newest first, when nothing is said"),
            pytest.param("(open: false)", ["cas_4", "cas_2"], id="those that are over"),
            pytest.param("(open: null)", ["cas_4", "cas_3", "cas_2", "cas_1"], id="all"),
        ],
    )
    async def test_cases_are_open_over_or_all(self, world: World, argument: str, ids: list[str]):
        statuses = (CaseStatus.WAITING_CUSTOMER, CaseStatus.RESOLVED, CaseStatus.ANSWERED, CaseStatus.CLOSED)
        world.crm.cases_by_id = {f"cas_{n}": case(n, status) for n, status in enumerate(statuses, start=1)}
        found = await world.data(f'{{ account(id: "acc_1") {{ cases{argument} {{ nodes {{ id }} }} }} }}')
        assert [node["id"] for node in found["account"]["cases"]["nodes"]] == ids

    @pytest.mark.parametrize(
        ("argument", "ids"),
        [
            pytest.param("", ["opp_late", "opp_soon", "opp_never"], id="open ones, latest close date first"),
            pytest.param("(open: false)", ["opp_won"], id="closed ones"),
        ],
    )
    async def test_opportunities_are_open_or_closed(self, world: World, argument: str, ids: list[str]):
        rows = (
            opportunity("opp_soon", close_date=date(2026, 4, 1)),
            opportunity("opp_late", close_date=date(2026, 10, 1)),
            opportunity("opp_never"),
            opportunity("opp_won", is_open=False),
        )
        world.crm.opportunities_by_id = {row.id: row for row in rows}
        found = await world.data(f'{{ account(id: "acc_1") {{ opportunities{argument} {{ nodes {{ id }} }} }} }}')
        assert [node["id"] for node in found["account"]["opportunities"]["nodes"]] == ids

    @pytest.mark.parametrize("name", ["children", "shipTos", "opportunities", "cases"])
    async def test_every_list_of_an_account_is_read_to_its_end_without_gap_or_repetition(self, world: World, name: str):
        for n in range(2, 7):
            world.add(account(f"acc_{n}", f"C-{n}", parent_id="acc_1"))
            world.erp.places[f"shp_{n}"] = replace(rules.ship_to(), id=f"shp_{n}", code=f"P{n}")
            world.crm.opportunities_by_id[f"opp_{n}"] = opportunity(f"opp_{n}")
            world.crm.cases_by_id[f"cas_{n}"] = replace(case(n // 2), id=f"cas_{n}")
        fields = "totalCount nodes { id } pageInfo { hasNextPage endCursor }"
        query = f'query ($a: String) {{ account(id: "acc_1") {{ page: {name}(first: 2, after: $a) {{ {fields} }} }} }}'
        seen, cursor, more = [], None, True
        while more:
            page = (await world.data(query, a=cursor))["account"]["page"]
            seen += [node["id"] for node in page["nodes"]]
            cursor, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert page["nodes"], "a page said that more follows"
        assert len(seen) == len(set(seen)) == page["totalCount"] == (5 if name == "children" else 6)

    @pytest.mark.parametrize("first", [0, -1, MAX_FIRST + 1])
    @pytest.mark.parametrize(
        "query",
        [
            pytest.param("{ accounts(first: %d) { nodes { id } } }", id="accounts"),
            pytest.param('{ account(id: "acc_1") { shipTos(first: %d) { nodes { id } } } }', id="a list of an account"),
        ],
    )
    async def test_too_many_or_no_rows_are_refused_with_the_limit(self, world: World, query: str, first: int):
        error = await world.error(query % first)
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert str(MAX_FIRST) in error["message"]

    @pytest.mark.parametrize("cursor", ["nonsense", "", "e30", "WzEsMl0", "WyJhIl0", "ä"])
    @pytest.mark.parametrize(
        ("query", "who"),
        [
            pytest.param("{ accounts(after: %s) { nodes { id } } }", DESK, id="all accounts"),
            pytest.param("{ accounts(after: %s) { nodes { id } } }", BUYER, id="a customer's accounts"),
            pytest.param('{ account(id: "acc_1") { cases(after: %s) { nodes { id } } } }', DESK, id="cases"),
        ],
    )
    async def test_a_cursor_that_is_none_is_refused_by_name(
        self, world: World, query: str, who: Principal, cursor: str
    ):
        error = await world.error(query % f'"{cursor}"', who)
        assert error["extensions"] == {"code": "BAD_USER_INPUT"}
        assert f"after: cursor {cursor!r}" in error["message"]


class TestWhoMaySee:
    ENTITIES = (
        ("Account", {"id": "acc_1"}),
        ("Account", {"number": "C-10042"}),
        ("ShipTo", {"id": "shp_1"}),
        ("Contact", {"id": "con_1"}),
        ("Opportunity", {"id": "opp_1"}),
        ("ServiceCase", {"id": "cas_1"}),
    )

    @pytest.mark.parametrize(("type_name", "key"), ENTITIES, ids=str)
    async def test_references_resolve_for_who_may_see_the_account_only(
        self, world: World, type_name: str, key: dict[str, str]
    ):
        for who, is_seen in ((DESK, True), (BUYER, True), (customer("acc_sib"), False), (None, False)):
            (found,) = await world.entities(type_name, "id", key, who=who)
            assert (found is not None) is is_seen

    @pytest.mark.parametrize(("type_name", "key"), [("User", {"id": "usr_ann"}), ("Territory", {"id": "ter_1"})])
    async def test_the_distributors_people_and_territories_are_for_everybody_but_strangers(
        self, world: World, type_name: str, key: dict[str, str]
    ):
        assert await world.entities(type_name, "id name", key, who=None) == [None]
        for who in (DESK, BUYER):
            (found,) = await world.entities(type_name, "id name", key, who=who)
            assert found["id"] == key["id"]

    async def test_unknown_references_are_null_beside_known_ones(self, world: World):
        assert await world.entities("Account", "id", {"id": "acc_x"}, {"id": "acc_1"}, {}) == [
            None,
            {"id": "acc_1"},
            None,
        ]

    async def test_a_customer_sees_neither_what_is_above_nor_beside_its_account(self, world: World):
        query = '{ account(id: "acc_1") { parent { id } billTo { id } } accounts { nodes { id } } }'
        assert await world.data(query, BUYER) == {
            "account": {"parent": None, "billTo": None},
            "accounts": {"nodes": [{"id": "acc_1"}]},
        }

    async def test_a_customer_sees_of_children_those_of_its_claim(self, world: World):
        query = '{ account(id: "acc_top") { children { totalCount nodes { id } } } }'
        found = await world.data(query, customer("acc_top", "acc_sib"))
        assert found["account"]["children"] == {"totalCount": 1, "nodes": [{"id": "acc_sib"}]}

    async def test_a_case_is_shown_to_who_may_see_its_account(self, world: World):
        query = '{ serviceCase(id: "cas_1") { number account { id } order { id } } }'
        shown = {"number": "0", "account": {"id": "acc_1"}, "order": {"id": "ord_77"}}
        assert await world.data(query, BUYER) == {"serviceCase": shown}
        assert await world.data(query, customer("acc_sib")) == {"serviceCase": None}


class TestCredit:
    FIELDS = "limit { amount currency } openReceivables { amount } overdue { amount } maxDaysPastDue onHold holdReason"
    OWED: ClassVar = {"openReceivables": {"amount": "120.50"}, "overdue": {"amount": "7.00"}, "maxDaysPastDue": 3}
    HOLD: ClassVar = {"onHold": True, "holdReason": "disputed invoice"}
    LIMIT: ClassVar = {"amount": "10000.00", "currency": "USD"}

    @pytest.fixture(autouse=True)
    def owing(self, world: World) -> None:
        profile = rules.credit(
            receivables="120.50", overdue="7", days=3, on_hold=True, as_of=NOW - timedelta(minutes=9)
        )
        world.add(world.crm.known["acc_1"], profile=profile)

    @pytest.mark.parametrize(
        ("who", "limit"),
        [
            pytest.param(CONTROLLER, LIMIT, id="credit controller"),
            pytest.param(person("system:billing", scopes=("credit:read",)), LIMIT, id="a system with the scope"),
            pytest.param(
                person("user:x", "SALES", "PRICING_DESK", scopes=("credit:read",)), LIMIT, id="another role too"
            ),
            pytest.param(DESK, None, id="service desk"),
            pytest.param(customer("acc_1", scopes=("credit:read",)), None, id="customer whose token has the scope"),
            pytest.param(
                customer("acc_1", roles=("CREDIT_CONTROLLER",), scopes=("credit:read",)),
                None,
                id="customer whose token has a role of ours",
            ),
        ],
    )
    async def test_the_scope_shows_what_is_owed_and_the_role_whether_the_limit(
        self, world: World, who: Principal, limit: dict[str, str] | None
    ):
        found = await world.data(f'{{ account(id: "acc_1") {{ credit {{ {self.FIELDS} }} }} }}', who)
        assert found["account"]["credit"] == {**self.OWED, **self.HOLD, "limit": limit}

    @pytest.mark.parametrize("who", [BUYER, person("user:x", "CREDIT_CONTROLLER")], ids=["customer", "controller"])
    async def test_without_the_scope_there_is_no_profile_and_the_erp_is_not_asked(self, world: World, who: Principal):
        assert await world.data('{ account(id: "acc_1") { credit { onHold } } }', who) == {"account": {"credit": None}}
        assert "terms" not in world.script.calls

    @pytest.mark.parametrize(("minutes", "is_stale"), [(9, False), (16, True)])
    async def test_the_age_of_figures_is_told(self, world: World, minutes: int, is_stale: bool):
        world.add(world.crm.known["acc_1"], profile=rules.credit(as_of=NOW - timedelta(minutes=minutes)))
        found = await world.data('{ account(id: "acc_1") { credit { freshness { source asOf stale } } } }')
        as_of = f"2026-03-04T14:{60 - minutes}:00Z"
        assert found["account"]["credit"]["freshness"] == {"source": "CLOUD_ERP", "asOf": as_of, "stale": is_stale}

    @staticmethod
    async def available(world: World, told: dict[str, str] | None, who: Principal = DESK) -> Any:
        key = {"id": "acc_1", "openOrderValue": told}
        (found,) = await world.entities("Account", "creditAvailable { amount currency }", key, who=who)
        return found["creditAvailable"]

    @pytest.mark.parametrize(
        ("limit", "receivables", "ordered", "available"),
        [
            pytest.param("10000.00", "120.55", "79.50", "9799.95", id="limit less what is owed and ordered"),
            pytest.param("10000", "0.1", "0.2", "9999.70", id="cents add up exactly"),
            pytest.param("100", "90", "30", "-20.00", id="more than it may"),
            pytest.param(None, "0", "0", None, id="pays in advance"),
        ],
    )
    async def test_what_is_left_is_exact(
        self, world: World, limit: str | None, receivables: str, ordered: str, available: str | None
    ):
        world.add(world.crm.known["acc_1"], profile=rules.credit(limit=limit, receivables=receivables))
        expected = None if available is None else {"amount": available, "currency": "USD"}
        assert await self.available(world, {"amount": ordered, "currency": "USD"}) == expected

    @pytest.mark.parametrize(
        "told",
        [
            pytest.param(None, id="orders do not tell"),
            pytest.param({"amount": "5", "currency": "EUR"}, id="another currency"),
        ],
    )
    async def test_what_cannot_be_added_up_is_not_guessed(self, world: World, told: dict[str, str] | None):
        assert await self.available(world, told) is None

    @pytest.mark.parametrize(
        ("who", "is_told"),
        [
            pytest.param(person("user:x", "SALES"), True, id="sales rep without the scope"),
            pytest.param(customer("acc_1", roles=("PORTAL_ADMIN",)), True, id="administrator of the customer"),
            pytest.param(BUYER, False, id="buyer"),
            pytest.param(customer("acc_1", roles=(), scopes=("credit:read",)), False, id="customer without a role"),
            pytest.param(customer("acc_1", roles=("INTEGRATION",)), False, id="partner's system"),
        ],
    )
    async def test_what_is_left_is_for_the_distributor_and_the_customers_administrator(
        self, world: World, who: Principal, is_told: bool
    ):
        assert (await self.available(world, {"amount": "5", "currency": "USD"}, who) is not None) is is_told


class TestViewer:
    @pytest.mark.parametrize(
        ("who", "viewer"),
        [
            pytest.param(
                DESK,
                {"id": "usr_ann", "name": "Ann Example", "roles": ["SERVICE_DESK"]},
                id="the roles of the token, not of the CRM",
            ),
            pytest.param(
                BUYER, {"id": "usr_buyer", "name": "usr_buyer", "roles": ["PORTAL_BUYER"]}, id="unknown to the CRM"
            ),
            pytest.param(person("system:edi"), {"id": "system:edi", "name": "system:edi", "roles": []}, id="a system"),
        ],
    )
    async def test_the_viewer_is_who_asks(self, world: World, who: Principal, viewer: dict[str, Any]):
        assert await world.data("{ viewer { id name roles } }", who) == {"viewer": viewer}

    async def test_who_asks_is_known_without_the_crm(self, world: World):
        world.script.down.add(SourceSystem.CRM)
        found = await world.data("{ viewer { id name } }")
        assert found == {"viewer": {"id": "usr_ann", "name": "usr_ann"}}

    async def test_nobody_is_told_to_sign_in(self, world: World):
        error = await world.error("{ viewer { id } }", None)
        assert error["extensions"] == {"code": "FORBIDDEN"}
        assert "send a token" in error["message"]


class TestOutages:
    NEEDS_ERP = ("currency", "paymentTerms", "priceGroup", "taxRegistrations", "shipTos", "credit")

    async def test_without_erp_exactly_the_fields_that_need_it_are_null_with_its_name(self, world: World):
        world.script.down.add(SourceSystem.CLOUD_ERP)
        needs = "currency paymentTerms priceGroup taxRegistrations { kind } shipTos { nodes { id } } credit { onHold }"
        keeps = "name status children { totalCount } contacts { id } cases { totalCount } externalRefs { system }"
        answer = await world.ask(f'{{ account(id: "acc_1") {{ {needs} {keeps} }} }}')
        assert answer["data"]["account"] == {
            **dict.fromkeys(self.NEEDS_ERP),
            "name": "Example Pumps",
            "status": "ACTIVE",
            "children": {"totalCount": 0},
            "contacts": [{"id": "con_1"}],
            "cases": {"totalCount": 1},
            "externalRefs": [{"system": "CRM"}],
        }
        assert {error["path"][-1] for error in answer["errors"]} == set(self.NEEDS_ERP)
        told = {(error["extensions"]["code"], error["extensions"]["system"]) for error in answer["errors"]}
        assert told == {("SYSTEM_UNAVAILABLE", "CLOUD_ERP")}
        assert world.script.calls.count("terms") == 1, "a system that is away is asked once"

    async def test_without_erp_a_list_of_accounts_stays(self, world: World):
        world.script.down.add(SourceSystem.CLOUD_ERP)
        answer = await world.ask("{ accounts { nodes { number currency } } }")
        assert [node["number"] for node in answer["data"]["accounts"]["nodes"]] == ["C-10000", "C-10042", "C-10043"]
        assert len(answer["errors"]) == 3

    async def test_without_erp_what_is_left_of_credit_is_not_told(self, world: World):
        world.script.down.add(SourceSystem.CLOUD_ERP)
        fields = "... on Account { id creditAvailable { amount } }"
        query = f"query ($r: [_Any!]!) {{ _entities(representations: $r) {{ {fields} }} }}"
        told = {"__typename": "Account", "id": "acc_1", "openOrderValue": {"amount": "5", "currency": "USD"}}
        answer = await world.ask(query, r=[told])
        assert answer["data"] == {"_entities": [{"id": "acc_1", "creditAvailable": None}]}
        assert answer["errors"][0]["extensions"]["system"] == "CLOUD_ERP"

    async def test_without_crm_accounts_are_null_with_its_name_and_places_stay(self, world: World):
        world.script.down.add(SourceSystem.CRM)
        answer = await world.ask('{ account(id: "acc_1") { id } }')
        assert answer["data"] == {"account": None}
        assert answer["errors"][0]["extensions"]["system"] == "CRM"
        assert await world.entities("ShipTo", "code", {"id": "shp_1"}) == [{"code": "MAIN"}]


class TestCost:
    FIELDS = """
      currency creditAvailable { amount } credit { onHold } externalRefs { id } owner { name } contacts { id }
      parent { name owner { name } currency } billTo { name }
      children { nodes { name currency } } shipTos { nodes { id account { name } } }
      opportunities { nodes { owner { name } account { name } } } cases { nodes { account { name } } }
    """

    async def calls(self, world: World, rows: int, key: str) -> list[str]:
        keys = []
        for n in range(rows):
            made = account(f"acc_n{n}", f"C-2{n:04}", parent_id="acc_top", bill_to_id="acc_sib", owner_id=f"usr_{n}")
            world.add(made)
            world.add(account(f"acc_child{n}", f"C-3{n:04}", parent_id=made.id))
            keys.append({key: getattr(made, key), "openOrderValue": {"amount": "1", "currency": "USD"}})
        found = await world.entities("Account", self.FIELDS, *keys, who=CONTROLLER)
        assert len([entry for entry in found if entry is not None]) == rows
        assert all(entry["creditAvailable"] == {"amount": "9999.00"} for entry in found)
        return sorted(world.script.calls)

    @pytest.mark.parametrize("key", ["id", "number"])
    async def test_twenty_accounts_cost_the_calls_of_one(self, world: World, key: str):
        one = await self.calls(world, 1, key)
        assert await self.calls(world, 20, key) == one
        assert one.count("users") == 2, "owners of the accounts and of their parent, then of opportunities"
        assert {call for call in one if one.count(call) > 2} == set()

    @pytest.mark.parametrize(
        ("root", "call"),
        [
            pytest.param('found: accountByNumber(number: "C-10042") { %s }', "accounts_by_number", id="number"),
            pytest.param(
                'found: accountByExternalRef(system: CRM, externalId: "001A") { %s }', "account_by_ref", id="id"
            ),
            pytest.param("accounts(first: 1) { nodes { %s } }", "search_accounts", id="search"),
        ],
    )
    async def test_an_account_that_was_found_is_not_read_again(self, world: World, root: str, call: str):
        await world.data(f"{{ {root % 'cases { nodes { account { name } } }'} }}")
        assert world.script.calls == [call, "cases_of"]

    @pytest.mark.parametrize(
        ("type_name", "prefix", "call"),
        [
            ("ShipTo", "shp", "ship_tos"),
            ("Contact", "con", "contacts_by_id"),
            ("Opportunity", "opp", "opportunities"),
            ("ServiceCase", "cas", "cases"),
        ],
    )
    async def test_twenty_references_cost_one_call(self, world: World, type_name: str, prefix: str, call: str):
        for n in range(20):
            world.add(account(f"acc_n{n}", f"C-2{n:04}"))
        keys = [{"id": f"{prefix}_n{n}"} for n in range(20)]
        assert None not in await world.entities(type_name, "id", *keys)
        assert world.script.calls == [call]


def test_the_schema_says_which_fields_are_protected_and_which_come_from_elsewhere():
    sdl = accounts_schema.as_str()
    assert 'type Account implements Node @key(fields: "id") @key(fields: "number")' in sdl
    assert "openOrderValue: Money @external" in sdl
    assert 'creditAvailable: Money @requires(fields: "openOrderValue { amount currency }")' in sdl
    assert 'type CreditProfile @requiresScopes(scopes: [["credit:read"]])' in sdl
    assert 'type Order @key(fields: "id", resolvable: false)' in sdl
