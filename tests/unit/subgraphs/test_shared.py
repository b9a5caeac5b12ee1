# No postponed annotations: strawberry reads them.
"""What every subgraph does, whatever its domain: claims, errors, scalars, pages, fresh readers per event."""

import asyncio
import datetime as dt
import decimal
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
import strawberry
from strawberry.types import Info

from gateway.server.claims import ClaimsSigner
from gateway.server.principal import ANONYMOUS as STRANGER
from gateway.server.principal import Principal as GatewayPrincipal
from gateway.transport.base import SubgraphRequest
from gateway.transport.inprocess import InProcessTransport
from schema.enums import SourceSystem
from schema.graphql.errors import BadUserInput, Forbidden
from schema.graphql.paging import MAX_FIRST, Connection, connection, page_request
from schema.graphql.problems import shared_problem
from schema.records import problems
from schema.records.identity import ANONYMOUS, Principal
from schema.records.values import Page
from subgraphs.asgi import build_schema, subgraph_app
from subgraphs.claims import HEADER, BadClaims, ClaimsReader
from subgraphs.context import RequestContext
from systems.errors import Unavailable

KEY = "a secret of subgraphs"
ANN = GatewayPrincipal("user:ann", frozenset({"credit:read"}), claims=(("accounts", ("acc_1",)), ("roles", ("SALES",))))


class Reader:
    made = 0

    def __init__(self, principal: Principal) -> None:
        type(self).made += 1
        self.number = type(self).made
        self.principal = principal


Context = Info[RequestContext[Reader], None]


@strawberry.type
class Query:
    @strawberry.field
    def who(self, info: Context) -> str:
        return f"{info.context.reader.principal.subject}"

    @strawberry.field
    def fail(self, how: str) -> str | None:
        if how == "system":
            raise Unavailable(SourceSystem.CRM, "accounts", "no answer within 5 s", outcome_unknown=False)
        if how == "input":
            raise BadUserInput("quantity is 0: give a quantity above 0")
        if how == "right":
            raise Forbidden("the role SALES is missing")
        raise RuntimeError("the password is hunter2")

    @strawberry.field
    def fails(self, hows: list[str]) -> int:
        return len(hows)

    @strawberry.field
    def echo(self, amount: decimal.Decimal, at: dt.datetime, on: dt.date) -> str:
        return f"{amount} {at.isoformat()} {on}"

    @strawberry.field
    def amount(self) -> decimal.Decimal:
        return decimal.Decimal("1E+2")

    @strawberry.field
    def rows(self, first: int | None = None, after: str | None = None) -> Connection[str]:
        wanted = page_request(first, after)
        return connection(Page(("a", "b")[: wanted.first], ("1", "2")[: wanted.first], wanted.first < 2), str, after)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def named(self, name: str) -> AsyncGenerator[str, None]:
        yield name

    @strawberry.subscription
    async def readers(self, info: Context, fails: bool = False) -> AsyncGenerator[int, None]:
        for _ in range(3):
            yield info.context.renew().number
        if fails:
            raise RuntimeError("the password is hunter2")


SCHEMA = build_schema(Query, None, Subscription)
APP = subgraph_app(SCHEMA, Reader, ClaimsReader(KEY))


DAY_S = 86_400
"""Life of a test's claims: those in tables are made when the tests are collected, long before they are used."""


def signed(principal: GatewayPrincipal, key: str = KEY, **clock: Any) -> str:
    return ClaimsSigner(HEADER, key, DAY_S, **clock).header(principal)[1]


async def ask(query: str, header: str | None = None, variables: dict[str, Any] | None = None) -> httpx.Response:
    headers = {} if header is None else {HEADER: header}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://subgraph") as http:
        return await http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)


async def failure(query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = (await ask(query, None, variables)).json()["errors"][0]
    return error


class TestClaims:
    def test_what_the_gateway_signs_is_who_asks(self):
        assert ClaimsReader(KEY).principal({HEADER: signed(ANN)}) == Principal(
            "user:ann", ("SALES",), ("credit:read",), ("acc_1",)
        )

    @pytest.mark.parametrize(
        ("told", "known"),
        [
            pytest.param(("W01", "W02"), ("W01", "W02"), id="codes"),
            pytest.param(("*",), ("*",), id="all"),
            pytest.param("*", (), id="a text that is no list"),
            pytest.param(None, (), id="none"),
        ],
    )
    def test_warehouses_and_territories_are_lists(self, told: object, known: tuple[str, ...]):
        claims = (("roles", ("OPERATIONS",)), ("territories", told), ("warehouses", told))
        found = ClaimsReader(KEY).principal({HEADER: signed(GatewayPrincipal("user:wim", claims=claims))})
        assert (found.warehouses, found.territories) == (known, known)

    def test_a_principal_without_accounts_is_not_bound_to_any(self):
        assert ClaimsReader(KEY).principal({HEADER: signed(GatewayPrincipal("user:bo"))}).accounts is None

    @pytest.mark.parametrize("headers", [{}, {HEADER: signed(STRANGER)}], ids=["no header", "a stranger's"])
    def test_strangers_are_anonymous_and_see_no_account(self, headers: dict[str, str]):
        assert ClaimsReader(KEY).principal(headers) == ANONYMOUS
        assert ANONYMOUS.accounts == ()

    @pytest.mark.parametrize(
        "header",
        [
            pytest.param(signed(ANN, "another secret of x"), id="signed with another key"),
            pytest.param(signed(ANN)[:-2], id="cut short"),
            pytest.param(signed(ANN).replace("v1.", "v2."), id="another version"),
            pytest.param("v1.e30." + signed(ANN).rpartition(".")[2], id="other claims under the signature"),
            pytest.param("", id="empty"),
            pytest.param("v1", id="no parts"),
            pytest.param("v1.ä.ö", id="no base64"),
            pytest.param("v1." + "x" * 20_000 + ".x", id="too long"),
            pytest.param(signed(ANN, clock=lambda: 1.0), id="expired"),
        ],
    )
    def test_a_header_that_proves_nothing_is_refused(self, header: str):
        with pytest.raises(BadClaims):
            ClaimsReader(KEY).principal({HEADER: header})

    async def test_a_request_with_bad_claims_gets_no_answer(self):
        answer = await ask("{ who }", "v1.forged.claims")
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")

    async def test_a_request_is_answered_for_its_principal(self):
        assert (await ask("{ who }", signed(ANN))).json() == {"data": {"who": "user:ann"}}


class TestErrors:
    async def test_a_system_that_fails_is_named_with_whether_to_try_again(self):
        error = await failure('{ fail(how: "system") }')
        assert error["extensions"] == {"code": "SYSTEM_UNAVAILABLE", "system": "CRM", "retryable": True}
        assert error["message"] == "CRM accounts: no answer within 5 s"
        assert error["path"] == ["fail"]

    @pytest.mark.parametrize(("how", "code"), [("input", "BAD_USER_INPUT"), ("right", "FORBIDDEN")])
    async def test_what_the_caller_did_wrong_is_said(self, how: str, code: str):
        assert (await failure(f'{{ fail(how: "{how}") }}'))["extensions"] == {"code": code}

    async def test_anything_else_is_masked_and_can_be_found_in_the_log(self):
        error = await failure('{ fail(how: "bug") }')
        assert "hunter2" not in json.dumps(error)
        assert error["extensions"]["code"] == "INTERNAL_ERROR"
        assert error["extensions"]["errorId"] in error["message"]

    async def test_an_unknown_field_is_refused_with_a_suggestion(self):
        error = await failure("{ whoo }")
        assert "Did you mean 'who'" in error["message"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"


class TestScalars:
    @pytest.mark.parametrize(
        ("amount", "at", "on", "said"),
        [
            pytest.param("NaN", "2026-03-04T00:00:00Z", "2026-03-04", "no decimal", id="not a number"),
            pytest.param("1e99", "2026-03-04T00:00:00Z", "2026-03-04", "no decimal", id="too large"),
            pytest.param(True, "2026-03-04T00:00:00Z", "2026-03-04", "a decimal is a text", id="a boolean"),
            pytest.param("1", "2026-03-04T00:00:00", "2026-03-04", "no time zone", id="a time without a zone"),
            pytest.param("1", "soon", "2026-03-04", "is no time", id="no time"),
            pytest.param("1", "2026-03-04T00:00:00Z", "2026-02-30", "is no date", id="a day that never comes"),
        ],
    )
    async def test_what_is_no_value_is_refused_by_name(self, amount: Any, at: str, on: str, said: str):
        query = "query ($amount: Decimal!, $at: DateTime!, $on: Date!) { echo(amount: $amount, at: $at, on: $on) }"
        assert said in (await failure(query, {"amount": amount, "at": at, "on": on}))["message"]

    async def test_numbers_are_exact_and_plain(self):
        query = '{ amount echo(amount: "0.10", at: "2026-03-04T01:00:00+01:00", on: "2026-03-04") }'
        data = (await ask(query)).json()["data"]
        assert data == {"amount": "100", "echo": "0.10 2026-03-04T00:00:00+00:00 2026-03-04"}


class TestTexts:
    """A ledger on PostgreSQL keeps no U+0000; on SQLite it would, so neither gets one."""

    ECHO = "query ($how: String!, $hows: [String!]! = []) { fail(how: $how) fails(hows: $hows) }"

    @pytest.mark.parametrize(
        ("query", "variables", "place"),
        [
            pytest.param(ECHO, {"how": "a\0b"}, "$how ", id="a variable"),
            pytest.param(ECHO, {"how": "input", "hows": ["a", "\0"]}, "$hows.1 ", id="an entry of a list"),
            pytest.param('{ fail(how: "a\\u0000b") }', None, "a text of the operation ", id="an escaped literal"),
            pytest.param('{ fail(how: "a\0b") }', None, "a text of the operation ", id="a raw literal"),
        ],
    )
    async def test_the_character_zero_is_refused_before_anything_runs(
        self, query: str, variables: dict[str, Any] | None, place: str
    ):
        answer = (await ask(query, None, variables)).json()
        assert answer["data"] is None
        (error,) = answer["errors"]
        assert error["message"].startswith(f"{place}holds the character U+0000")
        assert error["extensions"]["code"] == "BAD_USER_INPUT"

    async def test_a_subscription_is_refused_alike(self):
        events = await TestSubscriptions.events('subscription { named(name: "\\u0000") }')
        assert [event["errors"][0]["extensions"]["code"] for event in events] == ["BAD_USER_INPUT"]

    async def test_whoever_writes_of_that_character_means_its_name(self):
        assert (await ask('{ fail(how: "\\\\u0000") }')).json()["errors"][0]["extensions"]["code"] == "INTERNAL_ERROR"
        answer = (await ask(self.ECHO, None, {"how": "\\u0000"})).json()
        assert answer["errors"][0]["extensions"]["code"] == "INTERNAL_ERROR"


class TestPages:
    async def test_a_page_says_where_it_lies(self):
        page = "pageInfo { hasNextPage hasPreviousPage endCursor }"
        query = f'{{ rows(first: 1, after: "0") {{ nodes edges {{ cursor }} {page} }} }}'
        assert (await ask(query)).json()["data"]["rows"] == {
            "nodes": ["a"],
            "edges": [{"cursor": "1"}],
            "pageInfo": {"hasNextPage": True, "hasPreviousPage": True, "endCursor": "1"},
        }

    @pytest.mark.parametrize("first", [0, -1, MAX_FIRST + 1])
    async def test_too_many_or_no_rows_are_refused_with_the_limit(self, first: int):
        error = await failure(f"{{ rows(first: {first}) {{ nodes }} }}")
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert str(MAX_FIRST) in error["message"]


class TestSubscriptions:
    @staticmethod
    async def events(query: str) -> list[dict[str, Any]]:
        transport = InProcessTransport("a", APP)
        body = json.dumps({"query": query}).encode()
        async with asyncio.timeout(60):
            return [json.loads(event) async for event in transport.subscribe(SubgraphRequest(body, ()))]

    async def test_every_event_gets_a_reader_of_its_own(self):
        numbers = [event["data"]["readers"] for event in await self.events("subscription { readers }")]
        assert len(set(numbers)) == 3

    async def test_a_bug_in_a_stream_is_masked_too(self):
        events = await self.events("subscription { readers(fails: true) }")
        assert "hunter2" not in json.dumps(events)
        assert events[-1]["errors"][0]["extensions"]["code"] == "INTERNAL_ERROR"


@pytest.mark.parametrize(
    "record",
    [
        problems.ValidationFailed(code="A", message="m", rule="R", field="f", path=("x",)),
        problems.IdempotencyConflict(code="A", message="m", original_process_id="p"),
        problems.VersionConflict(code="A", message="m", current_version=2),
        problems.DependencyUnavailable(code="A", message="m", system=SourceSystem.CRM, retryable=True),
        problems.NotAllowedInState(code="A", message="m", state="S", allowed=("x",)),
        problems.ApprovalRequired(code="A", message="m", level="L", reason="r"),
    ],
    ids=lambda record: type(record).__name__,
)
def test_a_shared_problem_keeps_its_name_and_says_the_same(record: problems.Problem):
    shown = shared_problem(record)
    assert type(shown).__name__ == type(record).__name__
    for field in record.__dataclass_fields__:
        value = getattr(record, field)
        assert getattr(shown, field) == (list(value) if isinstance(value, tuple) else value)


def test_a_problem_of_one_domain_is_left_to_it():
    assert shared_problem(problems.CreditHold(code="A", message="m")) is None
