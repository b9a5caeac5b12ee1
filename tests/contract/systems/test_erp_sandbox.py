"""The ERP sandbox as a client without our connector sees it: Business Central's way of speaking OData."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio

from sandbox.erp.vendor import Erp
from sandbox.erp_book.seed import COMPANY, guid
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from tests.support.sandboxes import ServedSandbox, serve_sandbox
from tests.support.small_worlds import small_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC)
WITHIN_S = 60
STANDARD = f"/api/v2.0/companies({COMPANY})"
EXTENSION = "/api/crossdock/distribution/v1.0"
CUSTOM = f"{EXTENSION}/companies({COMPANY})"


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return small_world(generate_world(42, NOW))


@pytest_asyncio.fixture(loop_scope="module")
async def served(world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(Erp(), lambda: world) as sandbox:
        yield sandbox


async def sign_in(http: httpx.AsyncClient, **changes: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": "crossdock", "client_secret": "sandbox-erp-secret"}
    return await http.post("/oauth2/v2.0/token", data=form | changes)


@dataclass(frozen=True)
class Client:
    http: httpx.AsyncClient

    async def get(self, path: str, **options: str) -> Any:
        answer = await self.http.get(path, params={f"${name}": text for name, text in options.items()})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return await self.http.post(path, json=body, headers=headers)


async def signed_in(http: httpx.AsyncClient) -> Client:
    token = (await sign_in(http)).json()["access_token"]
    http.headers["authorization"] = f"Bearer {token}"
    return Client(http)


@pytest_asyncio.fixture(loop_scope="module")
async def client(served: ServedSandbox) -> Client:
    return await signed_in(served.http)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(world: WorldModel) -> AsyncIterator[Client]:
    """A client of one sandbox for tests that leave it as it is."""
    async with serve_sandbox(Erp(), lambda: world) as sandbox:
        yield await signed_in(sandbox.http)


def new_order(key: str = "or:ord_test:erp", **changes: Any) -> dict[str, Any]:
    line = {"sequence": 1, "lineObjectNumber": "VLV-0007", "quantity": 2, "unitPrice": 12.345, "locationCode": "W01"}
    body = {"externalDocumentNumber": key, "orderId": key, "accountId": "acc_1", "channel": "PORTAL", "lines": [line]}
    return body | changes


def changed_line(**changes: Any) -> dict[str, Any]:
    return new_order(lines=[new_order()["lines"][0] | changes])


class TestSigningIn:
    async def test_a_token_opens_the_api(self, client: Client):
        assert [row["name"] for row in (await client.get("/api/v2.0/companies"))["value"]] == ["DEMO"]

    @pytest.mark.parametrize(
        "changes",
        [{"client_secret": "wrong"}, {"client_id": ""}, {"grant_type": "password"}],
        ids=["secret", "id", "flow"],
    )
    async def test_wrong_credentials_get_no_token(self, served: ServedSandbox, changes: dict[str, str]):
        answer = await sign_in(served.http, **changes)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")

    async def test_without_a_token_nothing_is_shown(self, served: ServedSandbox):
        answer = await served.http.get("/api/v2.0/companies")
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "Authentication_InvalidCredentials"


class TestReading:
    @pytest.mark.parametrize(
        "name",
        ["customers", "locations", "items", "itemCategories", "itemVariants", "salesOrders", "salesOrderLines",
         "salesShipments", "salesInvoices", "companyInformation"],
    )  # fmt: skip
    async def test_the_standard_sets_are_there(self, shared: Client, name: str):
        assert "value" in await shared.get(f"{STANDARD}/{name}", top="1")

    async def test_only_selected_fields_are_shown(self, shared: Client):
        (row,) = (await shared.get(f"{STANDARD}/items", filter="number eq 'PMP-0042'", select="number,unitCost"))[
            "value"
        ]
        assert row == {"@odata.etag": 'W/"1"', "number": "PMP-0042", "unitCost": 25.5}

    async def test_amounts_are_numbers_with_all_of_their_digits(self, shared: Client):
        answer = await shared.http.get(f"{STANDARD}/items", params={"$filter": "number eq 'PMP-0042'"})
        assert '"unitCost":25.50' in answer.text

    async def test_pages_follow_links_to_the_end(self, shared: Client, world: WorldModel):
        read = 0
        page = await shared.get(f"{CUSTOM}/orderLines", select="id", count="true")
        lines = sum(len(order.lines) for order in world.orders if order.in_erp)
        assert page["@odata.count"] == lines > 1_000
        ids: set[str] = set()
        while True:
            assert len(page["value"]) <= 1_000
            read += len(page["value"])
            ids |= {row["id"] for row in page["value"]}
            if "@odata.nextLink" not in page:
                break
            page = (await shared.http.get(page["@odata.nextLink"])).json()
        assert read == len(ids) == lines

    async def test_top_and_skip_cut_out_a_part_in_order(self, shared: Client, world: WorldModel):
        page = await shared.get(f"{STANDARD}/items", orderby="number desc", top="3", skip="2", select="number")
        assert [row["number"] for row in page["value"]] == sorted((item.sku for item in world.items), reverse=True)[2:5]
        assert "@odata.nextLink" not in page

    async def test_a_top_above_a_page_goes_on_until_it_is_reached(self, shared: Client):
        page = await shared.get(f"{CUSTOM}/orderLines", top="1005", select="id")
        following = (await shared.http.get(page["@odata.nextLink"])).json()
        assert (len(page["value"]), len(following["value"])) == (1_000, 5)
        assert "@odata.nextLink" not in following

    async def test_lines_are_expanded_with_their_own_selection(self, shared: Client, world: WorldModel):
        order = next(order for order in world.orders if order.number == "SO-204511")
        page = await shared.get(
            f"{CUSTOM}/orders", filter=f"orderId eq '{order.id}'", select="number",
            expand="lines($select=sequence,quantity)",
        )  # fmt: skip
        lines = page["value"][0]["lines"]
        assert [(line["sequence"], line["quantity"]) for line in lines] == [
            (line.line_no, float(line.ordered)) for line in order.lines
        ]
        assert set(lines[0]) == {"@odata.etag", "sequence", "quantity"}

    async def test_an_entity_is_read_by_its_id(self, shared: Client):
        found = await shared.get(f"{STANDARD}/items({guid('item', 'PMP-0042')})")
        assert found["displayName"] == "Transfer pump 32"

    async def test_closed_orders_are_the_extensions_alone(self, shared: Client, world: WorldModel):
        closed = next(order for order in world.orders if order.status == "COMPLETED")
        where = f"number eq '{closed.number}'"
        assert (await shared.get(f"{STANDARD}/salesOrders", filter=where))["value"] == []
        assert (await shared.get(f"{CUSTOM}/orders", filter=where))["value"][0]["status"] == "Completed"

    @pytest.mark.parametrize(
        ("path", "options", "status", "code"),
        [
            pytest.param(f"{STANDARD}/wonders", {}, 404, "BadRequest_NotFound", id="no such set"),
            pytest.param("/api/v3.0/companies", {}, 404, "BadRequest_NotFound", id="no such group"),
            pytest.param("/nowhere", {}, 404, "BadRequest_NotFound", id="no such path"),
            pytest.param("/api/v2.0/customers", {}, 400, "BadRequest", id="no company"),
            pytest.param("/api/v2.0/companies(x)/customers", {}, 404, "Internal_RecordNotFound", id="another company"),
            pytest.param(f"{STANDARD}/items({COMPANY})", {}, 404, "Internal_RecordNotFound", id="no such record"),
            pytest.param(f"{STANDARD}/items", {"$filter": "x eq 1"}, 400, "BadRequest", id="no such field in a filter"),
            pytest.param(f"{STANDARD}/items", {"$select": "x"}, 400, "BadRequest", id="no such field to select"),
            pytest.param(f"{STANDARD}/items", {"$orderby": "id;x"}, 400, "BadRequest", id="no such order"),
            pytest.param(f"{STANDARD}/items", {"$expand": "lines"}, 400, "BadRequest", id="nothing to expand"),
            pytest.param(f"{CUSTOM}/orders", {"$expand": "lines(x)"}, 400, "BadRequest", id="an unreadable expand"),
            pytest.param(f"{STANDARD}/items", {"$top": "-1"}, 400, "BadRequest", id="a top below zero"),
            pytest.param(f"{STANDARD}/items", {"$search": "x"}, 400, "BadRequest", id="an option that is not there"),
        ],
    )
    async def test_what_cannot_be_read_is_said(
        self, shared: Client, path: str, options: dict[str, str], status: int, code: str
    ):
        answer = await shared.http.get(path, params=options)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.json()["error"]["message"]


class TestEntry:
    async def test_the_extension_takes_and_releases_an_order(self, client: Client):
        answer = await client.post(f"{CUSTOM}/orders?$expand=lines", new_order())
        made = answer.json()
        assert (answer.status_code, made["status"], made["number"][:5]) == (201, "Open", "S-ORD")
        assert (made["lines"][0]["netAmount"], made["totalAmountExcludingTax"], made["freight"]) == (24.69, 24.69, 45.0)

    async def test_an_answer_that_cannot_be_given_makes_nothing(self, client: Client):
        assert (await client.post(f"{CUSTOM}/orders?$select=wonders", new_order())).status_code == 400
        assert (await client.post(f"{CUSTOM}/orders", new_order())).status_code == 201

    async def test_the_standard_api_makes_a_draft(self, client: Client):
        body = {"customerNumber": "C-10042", "salesOrderLines": new_order()["lines"]}
        assert (await client.post(f"{STANDARD}/salesOrders", body)).json()["status"] == "Draft"

    async def test_orders_without_a_number_get_the_next_free_one(self, client: Client):
        given = [{"number": "S-ORD101002"}, {"number": None}, {"number": None}]
        bodies = [new_order(f"k{place}", **number) for place, number in enumerate(given)]
        made = [(await client.post(f"{CUSTOM}/orders", body)).json()["number"] for body in bodies]
        assert made == ["S-ORD101002", "S-ORD101001", "S-ORD101003"]

    async def test_a_second_document_with_the_same_external_number_is_refused(self, client: Client):
        assert (await client.post(f"{CUSTOM}/orders", new_order())).status_code == 201
        answer = await client.post(f"{CUSTOM}/orders", new_order())
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Internal_EntityWithSameKeyExists")

    @pytest.mark.parametrize(
        ("body", "code", "target"),
        [
            (new_order(accountId="acc_none"), "Crossdock_CustomerUnknown", "accountId"),
            (new_order(accountId=None), "BadRequest_RequiredParamNotProvided", "customerNumber"),
            (new_order(lines=[]), "Crossdock_LinesInvalid", "lines"),
            (new_order(lines=["x"]), "Crossdock_LinesInvalid", "lines/0"),
            (new_order(lines=new_order()["lines"] * 2), "Crossdock_LinesInvalid", "lines"),
            (new_order(currencyCode="XXX"), "Crossdock_CurrencyUnknown", "currencyCode"),
            (new_order(shipToId="shp_2"), "Crossdock_ShipToUnknown", "shipToId"),
            (new_order(poNumber={"a": 1}), "Crossdock_FieldInvalid", "poNumber"),
            (new_order(number="N" * 21), "Crossdock_FieldInvalid", "number"),
            (new_order(requestedDeliveryDate="tomorrow"), "Crossdock_FieldInvalid", "requestedDeliveryDate"),
            (changed_line(lineObjectNumber="NO-SUCH"), "Crossdock_ItemUnknown", "lines/0/lineObjectNumber"),
            (changed_line(unitOfMeasureCode="TNE"), "Crossdock_UnitUnknown", "lines/0/unitOfMeasureCode"),
            (changed_line(locationCode="W99"), "Crossdock_LocationUnknown", "lines/0/locationCode"),
            (changed_line(quantity=0), "Crossdock_QuantityInvalid", "lines/0/quantity"),
            (changed_line(quantity=1.2345), "Crossdock_QuantityInvalid", "lines/0/quantity"),
            (changed_line(quantity=True), "Crossdock_QuantityInvalid", "lines/0/quantity"),
            (changed_line(quantity="1e999999"), "Crossdock_QuantityInvalid", "lines/0/quantity"),
            (changed_line(unitPrice="free"), "Crossdock_PriceInvalid", "lines/0/unitPrice"),
            (changed_line(unitPrice=-1), "Crossdock_PriceInvalid", "lines/0/unitPrice"),
            (changed_line(sequence="first"), "Crossdock_LinesInvalid", "lines/0/sequence"),
        ],
    )
    async def test_what_is_wrong_is_named_and_nothing_is_made(
        self, shared: Client, body: dict[str, Any], code: str, target: str
    ):
        answer = await shared.post(f"{CUSTOM}/orders", body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["target"]) == (400, code, target)
        assert (await shared.get(f"{CUSTOM}/orders", filter="orderId eq 'or:ord_test:erp'"))["value"] == []

    async def test_blocked_customers_and_items_are_refused(
        self, served: ServedSandbox, client: Client, world: WorldModel
    ):
        blocked = next(item for item in world.items if item.status == "BLOCKED")
        answer = await client.post(f"{CUSTOM}/orders", changed_line(lineObjectNumber=blocked.sku, locationCode=None))
        assert answer.json()["error"]["code"] == "Crossdock_ItemNotSold"
        served.host.store.execute("UPDATE customers SET blocked = 'All' WHERE crossdockId = 'acc_1'")
        answer = await client.post(f"{CUSTOM}/orders", new_order())
        assert answer.json()["error"]["code"] == "Crossdock_CustomerBlocked"

    @pytest.mark.parametrize(
        "body",
        [b"{", b"[]", b"[" * 100_000, b'{"number": "\\ud83d"}'],
        ids=["half", "a list", "too deep", "half a character"],
    )
    async def test_a_body_that_is_no_object_is_refused(self, shared: Client, body: bytes):
        answer = await shared.http.post(f"{CUSTOM}/orders", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")

    async def test_what_can_only_be_read_cannot_be_written(self, shared: Client):
        assert (await shared.post(f"{STANDARD}/items", {})).status_code == 405
        assert (await shared.http.delete(f"{CUSTOM}/orders({COMPANY})")).status_code == 405


class TestChanging:
    async def made(self, client: Client) -> tuple[str, str]:
        row = (await client.post(f"{CUSTOM}/orders", new_order())).json()
        return f"{CUSTOM}/orders({row['id']})", row["@odata.etag"]

    async def test_a_change_with_the_read_etag_is_taken_once(self, client: Client):
        path, read = await self.made(client)
        first = await client.http.patch(path, json={"poNumber": "PO-1"}, headers={"if-match": read})
        assert (first.status_code, first.json()["poNumber"]) == (200, "PO-1")
        assert first.json()["@odata.etag"] != read
        second = await client.http.patch(path, json={"poNumber": "PO-2"}, headers={"if-match": read})
        assert (second.status_code, second.json()["error"]["code"]) == (409, "Request_EntityChanged")
        assert (await client.get(path))["poNumber"] == "PO-1"

    @pytest.mark.parametrize(
        ("match", "status"),
        [({}, 400), ({"if-match": "1"}, 412), ({"if-match": "*"}, 200)],
        ids=["none", "no ETag", "any"],
    )
    async def test_a_change_says_what_it_changes(self, client: Client, match: dict[str, str], status: int):
        path, _ = await self.made(client)
        assert (await client.http.patch(path, json={"poNumber": "PO-1"}, headers=match)).status_code == status

    async def test_amounts_cannot_be_changed(self, client: Client):
        path, read = await self.made(client)
        answer = await client.http.patch(path, json={"totalTaxAmount": 0}, headers={"if-match": read})
        assert answer.json()["error"]["target"] == "totalTaxAmount"

    async def test_a_cancelled_order_is_closed(self, client: Client):
        path, _ = await self.made(client)
        assert (await client.post(f"{path}/Microsoft.NAV.cancel", {})).status_code == 204
        assert (await client.post(f"{path}/Microsoft.NAV.cancel", {})).status_code == 204
        answer = await client.http.patch(path, json={"poNumber": "PO-1"}, headers={"if-match": "*"})
        assert answer.json()["error"]["code"] == "Crossdock_OrderNotOpen"
        answer = await client.post(f"{path}/Microsoft.NAV.allocate", {"key": "k"})
        assert answer.json()["error"]["code"] == "Crossdock_OrderNotOpen"

    async def test_an_action_that_is_not_there_is_said(self, client: Client):
        path, _ = await self.made(client)
        assert (await client.post(f"{path}/Microsoft.NAV.explode", {})).status_code == 404
        assert (await client.post(f"{path}/Microsoft.NAV.allocate", {})).json()["error"]["target"] == "key"


class TestBatch:
    async def test_a_batch_answers_each_request(self, client: Client):
        requests = [
            {"id": "a", "method": "GET", "url": f"companies({COMPANY})/orders?$top=1&$select=number"},
            {"id": "b", "method": "POST", "url": f"{CUSTOM}/orders", "body": new_order()},
        ]
        answer = await client.post(f"{EXTENSION}/$batch", {"requests": requests})
        responses = answer.json()["responses"]
        assert [(entry["id"], entry["status"]) for entry in responses] == [("a", 200), ("b", 201)]
        assert len(responses[0]["body"]["value"]) == 1

    @pytest.mark.parametrize(
        ("headers", "statuses"),
        [({}, [404]), ({"prefer": "odata.continue-on-error"}, [404, 200])],
        ids=["stops at the first failure", "goes on when asked to"],
    )
    async def test_a_batch_with_a_failure(self, shared: Client, headers: dict[str, str], statuses: list[int]):
        requests = [
            {"id": "1", "method": "GET", "url": f"companies({COMPANY})/wonders"},
            {"id": "2", "method": "GET", "url": f"companies({COMPANY})/orders?$top=1"},
        ]
        answer = await shared.post(f"{EXTENSION}/$batch", {"requests": requests}, **headers)
        assert [entry["status"] for entry in answer.json()["responses"]] == statuses

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"requests": []},
            {"requests": [{"id": "1", "url": "companies"}] * 101},
            {"requests": ["x"]},
            {"requests": [{"id": "1", "url": "companies", "dependsOn": ["0"]}]},
        ],
        ids=["nothing", "empty", "too many", "no object", "dependent"],
    )
    async def test_a_batch_that_cannot_be_read_is_refused(self, shared: Client, body: dict[str, Any]):
        assert (await shared.post(f"{EXTENSION}/$batch", body)).status_code == 400


class TestStock:
    async def test_free_stock_is_what_the_warehouse_has_free(self, served: ServedSandbox, world: WorldModel):
        rows = served.host.store.query("SELECT sku, location, free FROM stock")
        assert {(row["sku"], row["location"]): row["free"] for row in rows} == {
            (place.sku, place.warehouse_code): int(
                (place.on_hand - place.allocated - place.blocked - place.safety_stock) * 1000
            )
            for place in world.stock
        }

    async def test_time_books_and_closes_what_was_allocated(self, served: ServedSandbox, client: Client):
        row = (await client.post(f"{CUSTOM}/orders", new_order())).json()
        path = f"{CUSTOM}/orders({row['id']})"
        assert (await client.post(f"{path}/Microsoft.NAV.allocate", {"key": "k"})).status_code == 200
        await served.http.put("/_sandbox/clock", json={"advance_s": 5 * 3_600})
        order = await until(client, path, lambda order: order["lines"][0]["invoiced"] == 2)
        assert (order["status"], order["lines"][0]["shipped"], order["lines"][0]["allocated"]) == ("Open", 2, 0)
        (invoice,) = (await client.get(f"{CUSTOM}/invoices", filter="orderId eq 'or:ord_test:erp'"))["value"]
        assert (invoice["status"], invoice["totalAmountIncludingTax"]) == ("Open", row["totalAmountIncludingTax"])
        assert (await client.post(f"{path}/Microsoft.NAV.cancel", {})).json()["error"][
            "code"
        ] == "Crossdock_OrderShipped"
        await served.http.put("/_sandbox/clock", json={"advance_s": 11 * 86_400})
        await until(client, path, lambda order: order["status"] == "Completed")


async def until(client: Client, path: str, is_so: Any) -> Any:
    async with asyncio.timeout(WITHIN_S):
        while True:
            found = await client.get(path, expand="lines")
            if is_so(found):
                return found
