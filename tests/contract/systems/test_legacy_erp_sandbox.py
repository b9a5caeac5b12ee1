"""The legacy ERP's sandbox as a client without our connector sees it: programs, records, return codes, a journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
import pytest_asyncio

from sandbox.erp_book.posting import post_due
from sandbox.legacy_erp.vendor import LegacyErpSandbox
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from tests.support.sandboxes import ServedSandbox, serve_sandbox
from tests.support.small_worlds import small_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Client:
    served: ServedSandbox
    ticket: str

    async def call(self, program: str, **record: Any) -> httpx.Response:
        return await self.served.http.post(f"/svc/{program}", json=record, headers={"x-ticket": self.ticket})

    async def records(self, program: str, **record: Any) -> list[dict[str, Any]]:
        answer = (await self.call(program, **record)).json()
        assert answer["RC"] == "00", answer
        found: list[dict[str, Any]] = answer["RECS"]
        return found


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return small_world(generate_world(42, NOW))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(world: WorldModel) -> AsyncIterator[Client]:
    """A client of one sandbox; each test that writes does so under names of its own."""
    async with serve_sandbox(LegacyErpSandbox(), lambda: world) as served:
        yield await signed_on(served)


async def sign_on(served: ServedSandbox, **changes: Any) -> httpx.Response:
    record = {"USER": "CROSSDOCK   ", "PASWD": "sandbox-legacy-secret"} | changes
    return await served.http.post("/svc/SIGNON", json=record)


async def signed_on(served: ServedSandbox) -> Client:
    return Client(served, (await sign_on(served)).json()["TICKET"])


def new_order(key: str, **changes: Any) -> dict[str, Any]:
    line = {"LINNO": 1, "ITMNO": "VLV-0007", "ORDQT": 2000, "UNPRC": 1_234_500, "WHSCD": "W01"}
    return {"EXTDC": key, "ORXREF": key, "CUXREF": "acc_1", "CHANL": "PT", "LINS": [line | changes]}


class TestSigningOn:
    @pytest.mark.parametrize("changes", [{"USER": "NOBODY"}, {"PASWD": ""}, {"PASWD": 5}], ids=repr)
    async def test_who_does_not_know_the_password_gets_no_ticket(self, client: Client, changes: dict[str, Any]):
        answer = await sign_on(client.served, **changes)
        assert (answer.status_code, answer.json()["RC"], "TICKET" in answer.json()) == (401, "99", False)

    async def test_without_a_good_ticket_no_program_runs(self, client: Client):
        stranger = replace(client, ticket="GUESSED")
        assert (await stranger.call("CUSINQ", BY="XREF", KEYS=["acc_1"])).status_code == 401

    async def test_a_ticket_that_an_operator_ended_is_good_no_more(self, world: WorldModel):
        vendor = LegacyErpSandbox()
        async with serve_sandbox(vendor, lambda: world) as served:
            mine = await signed_on(served)
            vendor.end_tickets()
            assert (await mine.call("ORDENT", **new_order("ord_x"))).status_code == 401
            assert await (await signed_on(served)).records("ORDINQ", BY="XREF", KEYS=["ord_x"]) == []


class TestCalling:
    async def test_a_text_has_its_width_and_blanks_at_the_end_of_a_key_do_not_count(self, client: Client):
        (record,) = await client.records("CUSINQ", BY="CUSNO", KEYS=["C-10042" + " " * 13])
        assert (record["CUSNO"], record["CUXREF"].rstrip(), len(record["CUXREF"])) == (
            "C-10042             ",
            "acc_1",
            80,
        )

    @pytest.mark.parametrize(
        ("program", "record"),
        [
            ("CUSINQ", {"BY": "XREF", "KEYS": ["x"] * 51}),
            ("CUSINQ", {"BY": "XREF", "KEYS": "acc_1"}),
            ("CUSINQ", {"BY": "XREF", "KEYS": [1]}),
            ("CUSINQ", {"BY": "NAME", "KEYS": []}),
            ("CUSINQ", {"BY": "XREF", "KEYS": [], "START": -1}),
            ("ORDNEW", {"KEYS": ["acc_1"], "LIMIT": 201}),
            ("ORDNEW", {"KEYS": ["acc_1"], "LIMIT": True}),
            ("DELTA", {"AFTER": "0"}),
        ],
        ids=["51 keys", "no list", "no texts", "an unknown kind", "a strange start", "too many", "a flag", "a text"],
    )
    async def test_a_question_that_cannot_be_is_refused_with_status_200(
        self, client: Client, program: str, record: dict[str, Any]
    ):
        answer = await client.call(program, **record)
        assert (answer.status_code, answer.json()["RC"], answer.json()["PGM"]) == (200, "BR", program)

    @pytest.mark.parametrize(
        ("changes", "code", "field"),
        [
            ({"ITMNO": "NO-SUCH"}, "IU", "LINS/0/ITMNO"),
            ({"UOM": "TNE"}, "UM", "LINS/0/UOM"),
            ({"ORDQT": 0}, "QT", "LINS/0/ORDQT"),
            ({"ORDQT": "1.2345"}, "QT", "LINS/0/ORDQT"),
            ({"ORDQT": 1.5}, "QT", "LINS/0/ORDQT"),
            ({"UNPRC": -1}, "PR", "LINS/0/UNPRC"),
            ({"UNPRC": 10**15}, "PR", "LINS/0/UNPRC"),
            ({"REQDT": 1_261_301}, "FV", "LINS/0/REQDT"),
            ({"REQDT": 20_260_309}, "FV", "LINS/0/REQDT"),
            ({"WHSCD": "W99"}, "WH", "LINS/0/WHSCD"),
            ({"ITMNO": "x" * 21}, "FV", "LINS/0/ITMNO"),
        ],
        ids=repr,
    )
    async def test_a_refusal_names_the_field_and_leaves_nothing(
        self, client: Client, changes: dict[str, Any], code: str, field: str
    ):
        answer = (await client.call("ORDENT", **new_order("ord_refused", **changes))).json()
        assert (answer["RC"], answer["FLD"]) == (code, field)
        assert await client.records("ORDINQ", BY="XREF", KEYS=["ord_refused"]) == []

    @pytest.mark.parametrize(
        ("content", "status"), [(b"{", 400), (b"[]", 400), (b'{"A": "\\ud800"}', 400), (b" " * (5 << 20), 413)]
    )
    async def test_what_is_no_record_never_reaches_a_program(self, client: Client, content: bytes, status: int):
        answer = await client.served.http.post("/svc/CUSINQ", content=content, headers={"x-ticket": client.ticket})
        assert (answer.status_code, answer.json()["RC"]) == (status, "99")

    async def test_there_is_no_other_program(self, client: Client):
        assert (await client.call("PAYROL")).status_code == 404
        assert (await client.served.http.get("/svc/CUSINQ")).status_code == 405

    async def test_more_than_an_answer_holds_comes_from_the_next_start_on(self, client: Client, world: WorldModel):
        skus = [item.sku for item in world.items]
        store = client.served.host.store
        store.executemany(
            "INSERT INTO prices (id, number, level, currencyCode, itemNumber, unitPrice, breaks, startingDate, "
            "priority, inheritToChildren, exclusive, combinable, graduated) "
            "VALUES (?, ?, 'LIST', 'USD', 'MANY', '1', '[]', '2026-01-01', 0, 0, 0, 0, 0)",
            [(f"many-{number}", f"MANY-{number:05d}") for number in range(2_100)],
        )
        assert "MANY" not in skus
        starts, numbers, start = [], [], 0
        while not starts or start:
            starts.append(start)
            answer = (await client.call("PRCINQ", ITMS=["MANY"], STNDD="Y", START=start)).json()
            numbers += [record["PRCNO"].rstrip() for record in answer["RECS"]]
            start = answer["NEXT"]
        assert starts == [0, 1_000, 2_000]
        assert numbers == [f"MANY-{number:05d}" for number in range(2_100)]


class TestWriting:
    async def test_a_number_is_used_once_and_a_key_does_one_thing(self, client: Client):
        for name in ("ord_one", "ord_two"):
            assert (await client.call("ORDENT", **new_order(name))).json()["RC"] == "00"
        assert (await client.call("ORDENT", **new_order("ord_one"))).json()["RC"] == "DU"
        assert (await client.call("ORDALC", KEY="k-one", ORXREF="ord_one")).json()["RC"] == "00"
        assert (await client.call("ORDALC", KEY="k-one", ORXREF="ord_two")).json()["RC"] == "KU"
        assert (await client.call("ORDALC", KEY="k-two", ORXREF="ord_none")).json()["RC"] == "NF"
        assert (await client.call("ORDALC", ORXREF="ord_two")).json() == {
            "PGM": "ORDALC", "RC": "MF", "MSG": "key is required", "FLD": "KEY",
        }  # fmt: skip

    async def test_a_customer_is_changed_field_by_field(self, client: Client):
        card = {"CUXREF": "acc_card", "CUNAM": "Card", "ADDR1": "1 Road", "CITY": "Y", "PSTCD": "1", "CTRY": "US"}
        assert (await client.call("CUSENT", **card, CURCD="USD", BLKCD="IV")).json()["RC"] == "00"
        await client.records("CUSMNT", CUXREF="acc_card", CRLIM=8_000_000, BLKCD="  ")
        (record,) = await client.records("CUSINQ", BY="XREF", KEYS=["acc_card"])
        assert (record["CRLIM"], record["BLKCD"], record["CUNAM"].rstrip()) == (8_000_000, "  ", "Card")
        await client.records("CUSMNT", CUXREF="acc_card", NOLIM="Y")
        (record,) = await client.records("CUSINQ", BY="XREF", KEYS=["acc_card"])
        assert "CRLIM" not in record
        answer = (await client.call("CUSMNT", CUXREF="acc_card", BLKCD="ZZ")).json()
        assert (answer["RC"], answer["FLD"]) == ("FV", "BLKCD")


class TestJournal:
    async def test_it_tells_what_was_written_since_the_start_in_its_order(self, world: WorldModel):
        async with serve_sandbox(LegacyErpSandbox(), lambda: world) as served:
            client = await signed_on(served)
            assert await client.records("DELTA", LIMIT=200) == []
            await client.records("ORDENT", **new_order("ord_j"))
            await client.records("ORDALC", KEY="k", ORXREF="ord_j")
            post_due(served.host.store, NOW + timedelta(days=2))
            told = await client.records("DELTA", LIMIT=200)
            numbers = [entry["SEQNO"] for entry in told]
            assert numbers == list(range(1, len(told) + 1))
            assert [(entry["OBJCD"], entry["OPRCD"]) for entry in told[:2]] == [("OR", "AD"), ("OR", "CH")]
            (posted,) = await client.records("DELTA", OBJCD="IV", LIMIT=200)
            assert posted in told
            assert await client.records("PSTINQ", BY="INVNO", KEYS=[posted["KEY"]]) != []
            assert await client.records("DELTA", AFTER=numbers[-1], LIMIT=200) == []
            assert [entry["SEQNO"] for entry in await client.records("DELTA", AFTER=1, LIMIT=1)] == [2]

    async def test_what_was_refused_is_not_told(self, client: Client):
        before = await client.records("DELTA", LIMIT=200)
        assert (await client.call("ORDENT", **new_order("ord_no", ITMNO="NO-SUCH"))).json()["RC"] == "IU"
        assert await client.records("DELTA", LIMIT=200) == before


async def test_it_serves_the_customers_that_it_is_given_and_nobody_else(world: WorldModel):
    mine = tuple(account for account in world.accounts if account.id == "acc_2")
    part = replace(
        world,
        accounts=mine,
        ship_tos=tuple(place for place in world.ship_tos if place.account_id == "acc_2"),
        orders=tuple(order for order in world.orders if order.account_id == "acc_2"),
        shipments=tuple(shipment for shipment in world.shipments if shipment.account_id == "acc_2"),
        invoices=tuple(invoice for invoice in world.invoices if invoice.account_id == "acc_2"),
        returns=tuple(back for back in world.returns if back.account_id == "acc_2"),
    )
    async with serve_sandbox(LegacyErpSandbox(), lambda: part) as served:
        client = await signed_on(served)
        found = await client.records("CUSINQ", BY="XREF", KEYS=["acc_1", "acc_2"])
        assert [record["CUXREF"].rstrip() for record in found] == ["acc_2"]
        orders = await client.records("ORDNEW", KEYS=["acc_1", "acc_2"], LIMIT=200)
        assert {record["CUXREF"].rstrip() for record in orders} == {"acc_2"}
        assert (await client.call("ORDENT", **new_order("ord_x"))).json()["RC"] == "CU"


class TestPrices:
    ROW: ClassVar[dict[str, Any]] = {
        "PRCNO": "CON-MADE",
        "LEVEL": "CT",
        "CURCD": "USD",
        "CUXREF": "acc_1",
        "ITMNO": "VLV-0007",
    }
    PRICED: ClassVar[dict[str, Any]] = ROW | {
        "UNPRC": 975_000,
        "VLFRM": 1_270_101,
        "VLTO": 9_999_999,
        "PRIOR": 3,
        "EXCLU": "Y",
    }

    async def contracts(self, client: Client) -> list[dict[str, Any]]:
        found = await client.records("AGRINQ", BY="CUSX", KEYS=["acc_1"])
        return [record for record in found if record["PRCNO"].rstrip() == "CON-MADE"]

    async def test_a_row_is_entered_changed_and_removed_and_each_is_told_in_the_journal(self, client: Client):
        (before, *_) = await client.records("DELTA", AFTER=0, LIMIT=200, OBJCD="PR") or [{"SEQNO": 0}]
        await client.records("PRCENT", **self.PRICED)
        (made,) = await self.contracts(client)
        assert (made["UNPRC"], made["VLTO"], made["PRIOR"], made["EXCLU"]) == (975_000, 9_999_999, 3, "Y")
        steps = [{"MINQT": 12_000, "UNPRC": 900_000}]
        await client.records("PRCMNT", PRCNO="CON-MADE", VLTO=1_271_231, BRKS=steps)
        (changed,) = await self.contracts(client)
        assert (changed["VLTO"], changed["BRKS"], changed["UNPRC"]) == (1_271_231, steps, 975_000)
        await client.records("PRCDEL", PRCNO="CON-MADE")
        assert await self.contracts(client) == []
        entries = await client.records("DELTA", AFTER=before["SEQNO"], LIMIT=200, OBJCD="PR")
        logged = await client.records("PCHINQ", BY="ENTNO", KEYS=[entry["KEY"].rstrip() for entry in entries])
        assert [sorted({"BFR", "AFT"} & set(entry)) for entry in logged] == [["AFT"], ["AFT", "BFR"], ["BFR"]]

    @pytest.mark.parametrize(
        ("program", "changes", "code", "field"),
        [
            ("PRCENT", {"UNPRC": -1}, "PR", "UNPRC"),
            ("PRCENT", {"LEVEL": "XX"}, "FV", "LEVEL"),
            ("PRCENT", {"VLTO": 1_261_301}, "FV", "VLTO"),
            ("PRCENT", {"PRGRP": "GOLD"}, "FV", "PRGRP"),
            ("PRCMNT", {}, "NF", None),
            ("PRCDEL", {}, "NF", None),
        ],
        ids=[
            "a negative price", "an unknown level", "a thirteenth month", "a contract with a group",
            "no row to change", "no row to remove",
        ],
    )  # fmt: skip
    async def test_what_a_row_cannot_be_is_refused_by_its_field(
        self, client: Client, program: str, changes: dict[str, Any], code: str, field: str | None
    ):
        answer = (await client.call(program, **(self.PRICED | {"PRCNO": "CON-WRONG"} | changes))).json()
        assert (answer["RC"], (answer.get("FLD") or "").strip() or None) == (code, field)
