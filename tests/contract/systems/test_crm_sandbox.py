"""The CRM sandbox speaks its vendor's protocol: seen with plain HTTP, as any client of the vendor would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from sandbox.crm.vendor import Crm
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from tests.support.sandboxes import CREDENTIALS, ServedSandbox, serve_sandbox

NOW = datetime.now(UTC)
BASE = "/services/data/v62.0"
ACCOUNT = "001000000000001AAA"


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return generate_world(42, NOW)


class Client:
    """A client of the vendor with a session."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self.http = http
        self.headers = {"authorization": f"Bearer {token}"}

    async def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        return await self.http.request(method, f"{BASE}/{path}", headers=headers, **more)

    async def query(self, soql: str) -> dict[str, Any]:
        answer = await self("GET", "query", params={"q": soql})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def sign_in(served: ServedSandbox, **form: str) -> httpx.Response:
    given = {"grant_type": "client_credentials", **CREDENTIALS["crm"], **form}
    return await served.http.post("/services/oauth2/token", data=given)


@asynccontextmanager
async def signed_in(world: WorldModel, vendor: Crm) -> AsyncIterator[Client]:
    async with serve_sandbox(vendor, lambda: world) as served:
        yield Client(served.http, (await sign_in(served)).json()["access_token"])


@pytest.fixture
async def served(world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(Crm(), lambda: world) as sandbox:
        yield sandbox


@pytest.fixture
async def crm(served: ServedSandbox) -> Client:
    return Client(served.http, (await sign_in(served)).json()["access_token"])


def refusal(answer: httpx.Response) -> tuple[int, str]:
    (error,) = answer.json()
    assert error["message"]
    return answer.status_code, error["errorCode"]


class TestSigningIn:
    async def test_a_token_comes_with_the_address_of_the_instance(self, served: ServedSandbox):
        answer = (await sign_in(served)).json()
        assert (answer["token_type"], answer["instance_url"]) == ("Bearer", served.url)
        assert "expires_in" not in answer
        assert int(answer["issued_at"]) // 1000 == pytest.approx(datetime.now(UTC).timestamp(), abs=60)

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({"client_secret": "wrong"}, "invalid_client"),
            ({"client_id": "wrong"}, "invalid_client"),
            ({"client_secret": ""}, "invalid_client"),
            ({"grant_type": "password"}, "unsupported_grant_type"),
        ],
    )
    async def test_a_wrong_client_gets_no_token(self, served: ServedSandbox, form: dict[str, str], error: str):
        answer = await sign_in(served, **form)
        assert (answer.status_code, answer.json()["error"]) == (400, error)

    @pytest.mark.parametrize("header", [{}, {"authorization": "Bearer 00D!nobody"}, {"authorization": "00D!x"}])
    async def test_without_a_session_nothing_is_shown(self, served: ServedSandbox, header: dict[str, str]):
        answer = await served.http.get(f"{BASE}/query", params={"q": "SELECT Id FROM User"}, headers=header)
        assert refusal(answer) == (401, "INVALID_SESSION_ID")

    async def test_a_session_ends_when_it_is_not_used(self, world: WorldModel):
        now = 0.0
        async with signed_in(world, Crm(session_s=100, monotonic=lambda: now)) as crm:
            for moment in (90.0, 180.0):
                now = moment
                assert (await crm("GET", "limits")).status_code == 200
            now = 281.0
            assert refusal(await crm("GET", "limits")) == (401, "INVALID_SESSION_ID")

    async def test_a_session_can_be_ended(self, served: ServedSandbox, crm: Client):
        token = crm.headers["authorization"].removeprefix("Bearer ")
        assert (await served.http.post("/services/oauth2/revoke", data={"token": token})).status_code == 200
        assert refusal(await crm("GET", "limits")) == (401, "INVALID_SESSION_ID")
        assert (await served.http.post("/services/oauth2/revoke", data={"token": token})).status_code == 400

    async def test_versions_are_shown_to_everybody(self, served: ServedSandbox):
        versions = (await served.http.get("/services/data")).json()
        assert {"label": "Winter '25", "url": BASE, "version": "62.0"} in versions


class TestLimits:
    async def test_every_answer_says_how_many_calls_are_used(self, world: WorldModel):
        async with signed_in(world, Crm(day_calls=3)) as crm:
            assert (await crm.query("SELECT COUNT() FROM User"))["totalSize"] == len(world.users)
            refused = await crm("GET", "query", params={"q": "nonsense"})
            assert refused.headers["sforce-limit-info"] == "api-usage=2/3"
            limits = (await crm("GET", "limits")).json()
            assert limits["DailyApiRequests"] == {"Max": 3, "Remaining": 0}
            over = await crm("GET", "limits")
            assert refusal(over) == (403, "REQUEST_LIMIT_EXCEEDED")
            assert over.headers["sforce-limit-info"] == "api-usage=3/3"

    async def test_a_new_day_brings_new_calls(self, world: WorldModel):
        async with signed_in(world, Crm(day_calls=1)) as crm:
            assert (await crm("GET", "limits")).status_code == 200
            assert (await crm("GET", "limits")).status_code == 403
            await crm.http.put("/_sandbox/clock", json={"advance_s": 86_400})
            assert (await crm("GET", "limits")).status_code == 200

    async def test_an_address_can_be_too_long(self, crm: Client):
        answer = await crm("GET", "query", params={"q": "SELECT Id FROM User" + " " * 16_400})
        assert refusal(answer) == (414, "URI_TOO_LONG")

    async def test_who_has_no_session_learns_nothing_of_the_request(self, served: ServedSandbox):
        answer = await served.http.post(f"{BASE}/sobjects/Contact", content=b"{")
        assert refusal(answer) == (401, "INVALID_SESSION_ID")
        assert "sforce-limit-info" not in answer.headers


class TestQuerying:
    async def test_records_carry_their_type_and_parents(self, crm: Client, world: WorldModel):
        answer = await crm.query(
            "SELECT Name, Owner.Name, Parent.Name FROM Account WHERE Crossdock_Id__c IN ('acc_1', 'acc_3') "
            "ORDER BY AccountNumber"
        )
        first, third = answer["records"]
        assert (answer["totalSize"], answer["done"]) == (2, True)
        assert first["attributes"] == {"type": "Account", "url": f"{BASE}/sobjects/Account/{ACCOUNT}"}
        assert first["Parent"] is None
        parent = next(account for account in world.accounts if account.id == "acc_parent")
        assert (third["Parent"]["Name"], third["Parent"]["attributes"]["type"]) == (parent.name, "Account")
        owner = next(user for user in world.users if user.id == world.accounts[0].owner_id)
        assert first["Owner"]["Name"] == owner.name

    async def test_children_come_with_their_parent(self, crm: Client, world: WorldModel):
        (record,) = (
            await crm.query(
                "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName), (SELECT Id FROM ChildAccounts) "
                "FROM Account WHERE Crossdock_Id__c = 'acc_1'"
            )
        )["records"]
        names = sorted(contact.last_name for contact in world.contacts if contact.account_id == "acc_1")
        assert [contact["LastName"] for contact in record["Contacts"]["records"]] == names
        assert record["Contacts"]["totalSize"] == len(names)
        assert record["ChildAccounts"] is None

    async def test_a_long_answer_comes_in_pages_of_what_was_there_at_the_start(self, crm: Client, world: WorldModel):
        answer = await crm("GET", "query", params={"q": "SELECT Crossdock_Id__c FROM Order ORDER BY Crossdock_Id__c"},
                           headers={"Sforce-Query-Options": "batchSize=500"})  # fmt: skip
        page = answer.json()
        sizes, ids = [], []
        while True:
            assert page["totalSize"] == len(world.orders)
            sizes.append(len(page["records"]))
            ids += [record["Crossdock_Id__c"] for record in page["records"]]
            if page["done"]:
                break
            page = (await crm("GET", page["nextRecordsUrl"].removeprefix(f"{BASE}/"))).json()
        assert sizes == [500, 500, 200]
        assert ids == sorted(order.id for order in world.orders)
        assert "nextRecordsUrl" not in page

    async def test_a_batch_has_at_least_two_hundred_records(self, crm: Client):
        answer = await crm("GET", "query", params={"q": "SELECT Id FROM Order"},
                           headers={"Sforce-Query-Options": "batchSize=1"})  # fmt: skip
        assert len(answer.json()["records"]) == 200

    @pytest.mark.parametrize("locator", ["01g000000000001AAA-200", "nonsense"])
    async def test_pages_of_no_query_are_refused(self, crm: Client, locator: str):
        assert refusal(await crm("GET", f"query/{locator}")) == (400, "INVALID_QUERY_LOCATOR")

    async def test_order_limit_offset_and_count(self, crm: Client, world: WorldModel):
        numbers = sorted((account.number for account in world.accounts), reverse=True)
        answer = await crm.query("SELECT AccountNumber FROM Account ORDER BY AccountNumber DESC LIMIT 3 OFFSET 2")
        assert [record["AccountNumber"] for record in answer["records"]] == numbers[2:5]
        won = sum(opportunity.stage == "Closed Won" for opportunity in world.opportunities)
        answer = await crm.query("SELECT COUNT() FROM Opportunity WHERE IsWon = true")
        assert answer == {"totalSize": won, "done": True, "records": []}

    async def test_nulls_come_first_unless_they_are_to_come_last(self, crm: Client):
        first = await crm.query("SELECT Resolved_At__c FROM Case ORDER BY Resolved_At__c LIMIT 1")
        last = await crm.query("SELECT Resolved_At__c FROM Case ORDER BY Resolved_At__c DESC NULLS LAST LIMIT 1")
        assert first["records"][0]["Resolved_At__c"] is None
        assert last["records"][0]["Resolved_At__c"].endswith("+0000")

    @pytest.mark.parametrize(
        ("soql", "code"),
        [
            ("SELECT Id FROM Lead", "INVALID_TYPE"),
            ("SELECT Foo FROM Account", "INVALID_FIELD"),
            ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY"),
            ("", "MALFORMED_QUERY"),
        ],
    )
    async def test_bad_queries_are_refused_with_their_place(self, crm: Client, soql: str, code: str):
        answer = await crm("GET", "query", params={"q": soql})
        assert refusal(answer) == (400, code)
        assert "ERROR at Row:1:Column:" in answer.json()[0]["message"]


class TestRecords:
    async def test_a_record_is_made_read_changed_and_deleted(self, crm: Client):
        made = await crm("POST", "sobjects/Contact", json={"AccountId": ACCOUNT, "FirstName": "Ada", "LastName": "L."})
        assert made.status_code == 201
        record_id = made.json()["id"]
        assert made.json() == {"id": record_id, "success": True, "errors": []}
        assert made.headers["location"] == f"{BASE}/sobjects/Contact/{record_id}"
        assert (record_id[:3], len(record_id)) == ("003", 18)

        changed = await crm("PATCH", f"sobjects/Contact/{record_id}", json={"LastName": "Lo", "Email": "a@example.com"})
        assert (changed.status_code, changed.content) == (204, b"")
        read = (await crm("GET", f"sobjects/Contact/{record_id[:15]}", params={"fields": "Name,Email"})).json()
        assert (read["Name"], read["Email"], set(read)) == ("Ada Lo", "a@example.com", {"attributes", "Name", "Email"})

        assert (await crm("DELETE", f"sobjects/Contact/{record_id}")).status_code == 204
        assert refusal(await crm("GET", f"sobjects/Contact/{record_id}")) == (404, "ENTITY_IS_DELETED")
        assert (await crm.query(f"SELECT COUNT() FROM Contact WHERE Id = '{record_id}'"))["totalSize"] == 0

    async def test_an_upsert_makes_or_changes(self, crm: Client):
        path, body = "sobjects/Order/Crossdock_Id__c/ord%2Fnew", {"Status": "Accepted", "EffectiveDate": "2026-03-05"}
        made = await crm("PATCH", path, json={**body, "Account": {"Crossdock_Id__c": "acc_1"}})
        assert (made.status_code, made.json()["created"]) == (201, True)
        again = await crm("PATCH", path, json={"Status": "Completed"})
        assert (again.status_code, again.json()["created"], again.json()["id"]) == (200, False, made.json()["id"])
        read = (await crm("GET", path)).json()
        assert (read["Crossdock_Id__c"], read["Status"], read["AccountId"]) == ("ord/new", "Completed", ACCOUNT)

    async def test_a_deleted_record_frees_its_external_id(self, crm: Client):
        path, body = "sobjects/Territory__c/Crossdock_Id__c/ter_new", {"Name": "New", "Code__c": "NEW"}
        first = (await crm("PATCH", path, json=body)).json()["id"]
        assert (await crm("DELETE", path)).status_code == 204
        assert (await crm("PATCH", path, json=body)).json()["id"] != first

    async def test_what_follows_from_other_fields_is_kept_in_step(self, crm: Client):
        path = "sobjects/Opportunity/Crossdock_Id__c/opp_9"
        assert (await crm("GET", path)).json()["IsClosed"] is False
        await crm("PATCH", path, json={"StageName": "Closed Won"})
        read = (await crm("GET", path)).json()
        assert (read["IsClosed"], read["IsWon"]) == (True, True)

    async def test_a_change_of_an_account_counts_up_its_version(self, crm: Client, world: WorldModel):
        await crm("PATCH", f"sobjects/Account/{ACCOUNT}", json={"BillingCity": "Elsewhere"})
        read = (await crm("GET", f"sobjects/Account/{ACCOUNT}")).json()
        assert read["Version__c"] == world.accounts[0].version + 1

    @pytest.mark.parametrize(
        ("body", "code", "fields"),
        [
            ({}, "REQUIRED_FIELD_MISSING", ["LastName"]),
            ({"LastName": ""}, "REQUIRED_FIELD_MISSING", ["LastName"]),
            ({"LastName": "x", "Foo": 1}, "INVALID_FIELD", []),
            ({"LastName": "x" * 81}, "STRING_TOO_LONG", ["LastName"]),
            ({"LastName": 7}, "JSON_PARSER_ERROR", None),
            ({"LastName": "x", "Name": "y"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"]),
            ({"LastName": "x", "AccountId": "x"}, "MALFORMED_ID", ["AccountId"]),
            ({"LastName": "x", "AccountId": "0" * 15}, "INVALID_CROSS_REFERENCE_KEY", ["AccountId"]),
            ({"LastName": "x", "Account": {"Crossdock_Id__c": "acc_none"}}, "INVALID_FIELD", []),
            ({"LastName": "x", "Account": {"Name": "x"}}, "INVALID_FIELD", []),
            ({"LastName": "x", "Crossdock_Id__c": "con_1"}, "DUPLICATE_VALUE", []),
            ({"LastName": "x", "Crossdock_Id__c": "CON_1"}, "DUPLICATE_VALUE", []),
        ],
    )
    async def test_a_record_that_cannot_be_is_refused(self, crm: Client, body: dict, code: str, fields: list | None):
        before = await crm.query("SELECT COUNT() FROM Contact")
        answer = await crm("POST", "sobjects/Contact", json=body)
        assert refusal(answer) == (400, code)
        assert answer.json()[0].get("fields") == fields
        assert await crm.query("SELECT COUNT() FROM Contact") == before

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"Status": "Lost"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
            ({"EffectiveDate": "yesterday"}, "JSON_PARSER_ERROR"),
            ({"EffectiveDate": None}, "REQUIRED_FIELD_MISSING"),
            ({"Total__c": "12"}, "JSON_PARSER_ERROR"),
            ({"Total__c": True}, "JSON_PARSER_ERROR"),
            ({"Crossdock_Id__c": "ord_1"}, "INVALID_FIELD"),
        ],
    )
    async def test_a_change_that_cannot_be_is_refused(self, crm: Client, world: WorldModel, body: dict, code: str):
        path = f"sobjects/Order/Crossdock_Id__c/{world.orders[0].id}"
        before = (await crm("GET", path)).json()
        assert refusal(await crm("PATCH", path, json=body)) == (400, code)
        assert (await crm("GET", path)).json() == before

    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [
            ("GET", "sobjects/Lead/00Q000000000001", 404, "NOT_FOUND"),
            ("GET", "sobjects/Account/001000000009999", 404, "NOT_FOUND"),
            ("GET", "sobjects/Account/003000000000001", 404, "NOT_FOUND"),
            ("GET", "sobjects/Account/Crossdock_Id__c/acc_none", 404, "NOT_FOUND"),
            ("PATCH", "sobjects/Account/Name/x", 404, "NOT_FOUND"),
            ("GET", "nothing/here", 404, "NOT_FOUND"),
            ("DELETE", "limits", 405, "METHOD_NOT_ALLOWED"),
            ("GET", "../v99.0/limits", 404, "NOT_FOUND"),
        ],
    )
    async def test_what_is_not_there_is_said_not_to_be(
        self, crm: Client, method: str, path: str, status: int, code: str
    ):
        assert refusal(await crm(method, path)) == (status, code)

    @pytest.mark.parametrize("content", [b"{", b"[]", b'"x"'])
    async def test_a_body_must_be_an_object(self, crm: Client, content: bytes):
        answer = await crm("POST", "sobjects/Contact", content=content)
        assert refusal(answer) == (400, "JSON_PARSER_ERROR")


class TestComposite:
    @staticmethod
    def part(name: str, method: str, path: str, body: dict | None = None) -> dict[str, Any]:
        return {
            "method": method,
            "url": f"{BASE}/{path}",
            "referenceId": name,
            **({} if body is None else {"body": body}),
        }

    async def test_a_part_can_name_what_an_earlier_one_answered(self, crm: Client):
        parts = [
            self.part("account", "POST", "sobjects/Account", {"Name": "New"}),
            self.part("contact", "POST", "sobjects/Contact", {"LastName": "x", "AccountId": "@{account.id}"}),
            self.part("found", "GET", "query?q=SELECT+Account.Name+FROM+Contact+WHERE+Id='@{contact.id}'"),
            self.part("one", "GET", "sobjects/Account/@{account.id}?fields=Name"),
        ]
        answer = (await crm("POST", "composite", json={"allOrNone": True, "compositeRequest": parts})).json()
        account, contact, found, one = answer["compositeResponse"]
        assert [part["httpStatusCode"] for part in (account, contact, found, one)] == [201, 201, 200, 200]
        assert account["httpHeaders"]["Location"].endswith(account["body"]["id"])
        assert found["body"]["records"][0]["Account"]["Name"] == one["body"]["Name"] == "New"

    @pytest.mark.parametrize(("all_or_none", "kept"), [(True, 0), (False, 1)])
    async def test_all_or_none_undoes_what_was_done(self, crm: Client, all_or_none: bool, kept: int):
        parts = [
            self.part("good", "POST", "sobjects/Account", {"Name": "Only me"}),
            self.part("bad", "POST", "sobjects/Contact", {}),
            self.part("after", "POST", "sobjects/Contact", {"LastName": "x", "AccountId": "@{bad.id}"}),
        ]
        answer = (await crm("POST", "composite", json={"allOrNone": all_or_none, "compositeRequest": parts})).json()
        good, bad, after = answer["compositeResponse"]
        assert bad["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
        assert after["body"][0]["errorCode"] == "PROCESSING_HALTED"
        assert good["httpStatusCode"] == (400 if all_or_none else 201)
        assert (await crm.query("SELECT COUNT() FROM Account WHERE Name = 'Only me'"))["totalSize"] == kept

    @pytest.mark.parametrize(
        "parts",
        [
            pytest.param([], id="none"),
            pytest.param("x", id="no list"),
            pytest.param([{"method": "GET", "url": f"{BASE}/limits"}], id="no name"),
            pytest.param([{"method": "GET", "url": f"{BASE}/limits", "referenceId": "a"}] * 2, id="a name twice"),
            pytest.param([{"method": "GET", "url": f"{BASE}/limits", "referenceId": f"r{n}"} for n in range(26)],
                         id="too many"),
        ],
    )  # fmt: skip
    async def test_parts_must_be_a_list_with_names(self, crm: Client, parts: Any):
        answer = await crm("POST", "composite", json={"compositeRequest": parts})
        assert refusal(answer) == (400, "JSON_PARSER_ERROR")

    async def test_a_composite_holds_no_other(self, crm: Client):
        answer = await crm("POST", "composite", json={"compositeRequest": [self.part("a", "POST", "composite", {})]})
        assert answer.json()["compositeResponse"][0]["httpStatusCode"] == 404


class TestTrouble:
    async def test_faults_speak_the_vendors_words(self, served: ServedSandbox, crm: Client):
        await served.faults(outages=[{"for_s": 60}])
        assert refusal(await crm("GET", "limits")) == (503, "SERVER_UNAVAILABLE")
        await served.faults(error_rate=1)
        assert refusal(await crm("GET", "limits")) == (500, "UNKNOWN_EXCEPTION")
        await served.faults()
        assert refusal(await served.http.get("/elsewhere")) == (404, "NOT_FOUND")
