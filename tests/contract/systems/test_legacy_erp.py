"""What the legacy ERP's connector sends and how it reads answers as its façade has given them, byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from schema.enums import InvoiceStatus, OrderChannel, OrderStatus, SourceSystem
from schema.records.accounts import AccountValues
from schema.records.catalog import GroupChange, PriceLevel
from schema.records.entries import UnreadableEntry
from schema.records.invoices import PostedInvoice
from schema.records.onboarding import BillingTerms
from schema.records.orders import OrderFilter
from schema.records.values import ExternalRef, Money, PageRequest
from systems.client import Answer
from systems.errors import Conflict, ConnectorError, NotFound, Rejected, Unavailable, Unexpected
from systems.legacy_erp import LegacyErp, LegacyErpSettings
from systems.legacy_erp.programs import AT_ONCE, Programs
from tests.support.erp_orders import line, order
from tests.support.scripted_system import Reply, ScriptedSystem, scripted

SETTINGS = LegacyErpSettings("", "CROSSDOCK", "secret", timeout_s=5)
SIGNED_ON = {"PGM": "SIGNON", "RC": "00", "TICKET": "T1", "TTL": 300}

CUSTOMER = {
    "CUSNO": "C-10042             ", "CUXREF": "acc_1".ljust(80), "CUNAM": "Harbor Pumps".ljust(120),
    "ADDR1": "1 Dock Road".ljust(120), "CITY": "Houston".ljust(60), "REGN": "TX        ", "PSTCD": "77001       ",
    "CTRY": "US", "CURCD": "USD", "TRMCD": "NET30     ", "PRGRP": "PG-01     ", "BLKCD": "IV", "OPNAR": 1234560,
    "OVDUE": 0, "MAXDPD": 12, "TOLPC": 5, "CRHLD": "Y", "HLDRS": "late".ljust(120), "CHGNO": 3,
    "TAXS": [{"TXKND": "EIN".ljust(20), "TXNO": "12-3456789".ljust(40), "TXJUR": "US-TX".ljust(20), "EXMPT": "N",
              "CRTEX": 1261231, "VRFDT": 1260101, "VRFTM": 93005123}],
}  # fmt: skip
LINE = {
    "LINNO": 1, "ITMNO": "PMP-0042            ", "ITDSC": "Transfer pump".ljust(120), "UOM": "EA  ", "ORDQT": 24000,
    "UNPRC": 3610000, "NETAM": 866400, "WHSCD": "W01  ", "ALCQT": 18000, "BCKQT": 6000, "SHPQT": 0, "INVQT": 0,
    "CNCQT": 0, "PRMDT": 1260320, "SHPDT": 1260309,
}  # fmt: skip
ORDER = {
    "ORDNO": "SO-204511           ", "ORXREF": "ord_77".ljust(80), "CUXREF": "acc_1".ljust(80),
    "STXREF": "shp_1".ljust(80), "PONO": "PO-881".ljust(120), "CHANL": "MB", "ORSTS": "OP", "CURCD": "USD",
    "NETAM": 866400, "TAXAM": 0, "FRTAM": 45000, "TOTAM": 911400, "REQDT": 0, "PRMDT": 1260320, "ENTDT": 1260309,
    "ENTTM": 140503250, "ACCDT": 1260309, "ACCTM": 140504000, "CLSDT": 0, "CLSTM": 0, "OPXREF": "".ljust(80),
    "QUXREF": "".ljust(80), "CHGNO": 7, "LINS": [LINE],
}  # fmt: skip
INVOICE = {
    "INVNO": "SI-800001           ", "CUXREF": "acc_1".ljust(80), "ORXREF": "ord_77".ljust(80), "IVSTS": "PP",
    "PSTDT": 1260310, "PSTTM": 0, "DUEDT": 1260409, "CURCD": "USD", "TOTAM": 694800, "BALAM": 94800, "TAXAM": 0,
    "FRTAM": 45000, "LINS": [{"LINNO": 1, "BILQT": 18000, "UNPRC": 3610000, "NETAM": 649800}],
}  # fmt: skip
PRICE = {
    "PRCNO": "CON-1".ljust(60), "LEVEL": "CT", "CURCD": "USD", "CUXREF": "acc_1".ljust(80), "PRGRP": "          ",
    "ITMNO": "PMP-0042            ", "CATCD": "".ljust(20), "BRAND": "".ljust(40), "DSCPC": 125000, "VLFRM": 1250101,
    "VLTO": 9999999, "PRIOR": 10, "INHER": "Y", "EXCLU": "N", "COMBI": "N", "GRADU": "N",
    "BRKS": [{"MINQT": 24000, "UNPRC": 3610000}],
}  # fmt: skip


def answer(*records: Any, more: int = 0) -> Reply:
    return said({"PGM": "X", "RC": "00", "MSG": "", "CNT": len(records), "RECS": list(records), "NEXT": more})


def said(body: Any) -> Reply:
    return Reply(body=json.dumps(body).encode())


def refusal(code: str, field: str = "") -> Reply:
    return said({"PGM": "X", "RC": code, "MSG": "no, because      ", "FLD": field.ljust(20)})


@asynccontextmanager
async def facade(*replies: Reply, ticket: Any = SIGNED_ON) -> AsyncIterator[tuple[LegacyErp, ScriptedSystem]]:
    async with (
        scripted(said(ticket), *replies) as system,
        LegacyErp(replace(SETTINGS, base_url=system.url)) as erp,
    ):
        yield erp, system


def sent(system: ScriptedSystem, place: int = -1) -> Any:
    return json.loads(system.requests[place].body)


class TestAnswers:
    async def test_a_customer_comes_out_of_its_fields(self):
        async with facade(answer(CUSTOMER)) as (erp, _):
            terms = (await erp.terms(["acc_1"]))["acc_1"]
        assert (terms.number, terms.payment_terms, terms.price_group, terms.blocked) == (
            "C-10042", "NET30", "PG-01", "Invoice",
        )  # fmt: skip
        assert (terms.credit.limit, terms.credit.open_receivables) == (None, Money(Decimal("1234.56"), "USD"))
        assert (terms.credit.on_hold, terms.credit.hold_reason, terms.credit.max_days_past_due) == (True, "late", 12)
        assert terms.ref == ExternalRef(SourceSystem.LEGACY_ERP, "C-10042")
        (tax,) = terms.tax_registrations
        assert (tax.number, tax.certificate_expires) == ("12-3456789", date(2026, 12, 31))
        assert tax.verified_at == datetime(2026, 1, 1, 9, 30, 5, 123_000, UTC)

    async def test_a_limit_of_nothing_is_another_thing_than_no_limit(self):
        async with facade(answer(CUSTOMER | {"CRLIM": 0})) as (erp, _):
            assert (await erp.terms(["acc_1"]))["acc_1"].credit.limit == Money(Decimal(0), "USD")

    async def test_an_order_comes_out_of_its_fields(self):
        async with facade(answer(ORDER)) as (erp, _):
            found = (await erp.orders(["ord_77"]))["ord_77"]
        assert (found.number, found.channel, found.status) == ("SO-204511", OrderChannel.MOBILE, OrderStatus.ACCEPTED)
        assert (found.requested_date, found.promised_date) == (None, date(2026, 3, 20))
        assert found.submitted_at == datetime(2026, 3, 9, 14, 5, 3, 250_000, UTC)
        assert (found.completed_at, found.opportunity_id, found.etag) == (None, None, "7")
        assert (str(found.total.amount), found.home_erp) == ("911.40", SourceSystem.LEGACY_ERP)
        (entry,) = found.lines
        assert (entry.sku, entry.uom, str(entry.ordered), str(entry.unit_price.amount)) == (
            "PMP-0042", "EA", "24", "36.10",
        )  # fmt: skip
        assert [(part.warehouse_code, part.quantity.value) for part in entry.allocations] == [("W01", 18)]

    async def test_a_price_without_an_end_and_one_of_a_discount(self):
        async with facade(answer(PRICE)) as (erp, _):
            (rule,) = (await erp.agreements_of(["acc_1"]))["acc_1"]
        assert (rule.id, rule.level, rule.valid_to, rule.unit) == ("prr_CON-1", PriceLevel.CONTRACT, None, None)
        assert (rule.discount_percent, rule.price_group, rule.inherit) == (Decimal("12.5"), None, True)
        assert [(step.min_quantity, step.unit.amount) for step in rule.breaks] == [(24, Decimal("36.10"))]

    async def test_a_posting_has_the_number_of_its_entry_in_the_journal(self):
        entry = {"SEQNO": 4711, "OBJCD": "IV", "OPRCD": "AD", "KEY": "SI-800001".ljust(80)}
        async with facade(answer(entry), answer(INVOICE)) as (erp, system):
            (posted,) = await erp.posted_after(4000, 10)
        assert (sent(system, 1), sent(system)) == (
            {"AFTER": 4000, "OBJCD": "IV", "LIMIT": 10},
            {"BY": "INVNO", "KEYS": ["SI-800001"]},
        )
        assert isinstance(posted, PostedInvoice)
        assert (posted.entry, posted.invoice.status) == (4711, InvoiceStatus.PARTIALLY_PAID)
        assert (posted.freight.amount, posted.invoice.balance.amount) == (45, Decimal("94.80"))
        assert [(part.line_no, part.quantity, part.net.amount) for part in posted.lines] == [(1, 18, Decimal("649.80"))]

    async def test_an_invoice_that_the_journal_names_in_vain_stands_in_its_place(self):
        entries = [
            {"SEQNO": at, "OBJCD": "IV", "OPRCD": "AD", "KEY": key.ljust(80)}
            for at, key in ((4711, "SI-800000"), (4712, "SI-800001"))
        ]
        async with facade(answer(*entries), answer({"INVNO": 7}, INVOICE)) as (erp, _):
            missed, found = await erp.posted_after(0, 10)
        said = "the journal names invoice SI-800000, which is not there"
        assert missed == UnreadableEntry(4711, said, {"KEY": "SI-800000"})
        assert (type(found), found.entry) == (PostedInvoice, 4712)

    async def test_a_price_change_that_the_journal_names_in_vain_stands_in_its_place(self):
        entries = [
            {"SEQNO": at, "OBJCD": "PR", "OPRCD": "AD", "KEY": key.ljust(80)} for at, key in ((7, "1"), (9, "2"))
        ]
        group = {"ENTNO": 2, "CHGDT": 1260309, "CHGTM": 140503250, "CUXREF": "acc_1", "GRPBF": "", "GRPAF": "GOLD  "}
        async with facade(answer(*entries), answer({"ENTNO": "?"}, group)) as (erp, _):
            missed, found = await erp.price_changes_after(0, 10)
        assert missed == UnreadableEntry(7, "the journal names price change 1, which is not there", {"KEY": "1"})
        assert found == GroupChange(9, datetime(2026, 3, 9, 14, 5, 3, 250_000, UTC), "acc_1", None, "GOLD")

    async def test_a_quiet_journal_is_one_call(self):
        async with facade(answer()) as (erp, system):
            assert await erp.posted_after(4711, 10) == ()
            assert await erp.price_changes_after(4711, 10) == ()
        assert [request.path for request in system.requests] == ["/svc/SIGNON", "/svc/DELTA", "/svc/DELTA"]

    async def test_an_answer_is_followed_to_its_end(self):
        async with facade(answer(ORDER, more=1000), answer(ORDER | {"ORXREF": "ord_78"})) as (erp, system):
            assert list(await erp.orders(["ord_77", "ord_78"])) == ["ord_77", "ord_78"]
        assert [sent(system, place).get("START") for place in (1, 2)] == [None, 1000]

    async def test_answers_that_do_not_end_are_left(self):
        async with facade(answer(more=1)) as (erp, _):
            with pytest.raises(Unexpected, match="more than 200 answers"):
                await erp.orders(["ord_77"])


BROKEN: dict[str, Any] = {
    "no return code": {"RECS": [], "NEXT": 0},
    "no records": {"RC": "00", "NEXT": 0},
    "no end": {"RC": "00", "RECS": []},
    "a list": [],
    "a refusal without a word": {"RC": "CB"},
    "a field is missing": {"RC": "00", "NEXT": 0, "RECS": [{**ORDER, "LINS": [{"LINNO": 1}]}]},
    "a thirteenth month": {"RC": "00", "NEXT": 0, "RECS": [ORDER | {"PRMDT": 1261301}]},
    "a date of eight digits": {"RC": "00", "NEXT": 0, "RECS": [ORDER | {"PRMDT": 20260320}]},
    "no time of entry": {"RC": "00", "NEXT": 0, "RECS": [ORDER | {"ENTDT": 0}]},
    "a fraction": {"RC": "00", "NEXT": 0, "RECS": [ORDER | {"TOTAM": 911.4}]},
    "sixteen digits": {"RC": "00", "NEXT": 0, "RECS": [ORDER | {"TOTAM": 10**15}]},
    "a strange state": {"RC": "00", "NEXT": 0, "RECS": [ORDER | {"ORSTS": "ZZ"}]},
    "allocated nowhere": {"RC": "00", "NEXT": 0, "RECS": [ORDER | {"LINS": [LINE | {"WHSCD": "     "}]}]},
}


@pytest.mark.parametrize("name", BROKEN)
async def test_an_answer_that_is_not_as_agreed_is_never_data(name: str):
    async with facade(said(BROKEN[name])) as (erp, _):
        with pytest.raises(Unexpected, match="agreed shape"):
            await erp.orders(["ord_77"])


@pytest.mark.parametrize("name", BROKEN)
async def test_after_a_write_it_means_that_the_write_may_be_done(name: str):
    async with facade(said(BROKEN[name])) as (erp, _):
        with pytest.raises((Unavailable, Rejected)) as failed:
            await erp.create_order(order())
    assert isinstance(failed.value, Unavailable)
    assert failed.value.outcome_unknown


class TestRefusals:
    @pytest.mark.parametrize(
        ("code", "failure"),
        [("NF", NotFound), ("DU", Conflict), ("CH", Conflict), ("KU", Conflict), ("CB", Rejected), ("BR", Rejected)],
    )
    async def test_a_return_code_is_one_of_our_failures(self, code: str, failure: type[ConnectorError]):
        async with facade(refusal(code)) as (erp, _):
            with pytest.raises(failure, match=r"LEGACY_ERP allocate: no, because$"):
                await erp.allocate("k1", "ord_77")

    @pytest.mark.parametrize(
        ("code", "field", "reason", "fields"),
        [
            ("IU", "LINS/1/ITMNO", "UNKNOWN_SKU", ("lines.1.sku",)),
            ("CY", "CURCD", "CURRENCY", ("currency",)),
            ("LN", "LINS", "LINES", ("lines",)),
            ("CB", "", "CUSTOMER_BLOCKED", ()),
            ("Q7", "NEWFLD", "Q7", ("NEWFLD",)),
        ],
        ids=["of a line", "of the head", "of all lines", "of no field", "nobody knows it"],
    )
    async def test_it_has_a_reason_and_a_field(self, code: str, field: str, reason: str, fields: tuple[str, ...]):
        async with facade(refusal(code, field)) as (erp, _):
            with pytest.raises(Rejected) as refused:
                await erp.create_order(order())
        assert (refused.value.reason, refused.value.fields) == (reason, fields)

    @pytest.mark.parametrize(
        "ask",
        [
            lambda erp: erp.cancel_order("k1"),
            lambda erp: erp.deallocate("k1", "ord_77"),
            lambda erp: erp.block_customer("acc_1", "All"),
            lambda erp: erp.take_merge_back("k1", "acc_1"),
            lambda erp: erp.cancel_return("RMA-1"),
        ],
        ids=["cancel", "give back", "block", "take a merge back", "cancel a return"],
    )
    async def test_what_is_not_there_needs_no_undoing(self, ask: Callable[[LegacyErp], Awaitable[None]]):
        async with facade(refusal("NF")) as (erp, system):
            assert await ask(erp) is None
        assert len(system.requests) == 2

    async def test_a_program_that_broke_off_is_no_refusal(self):
        async with facade(refusal("99")) as (erp, _):
            with pytest.raises(Unavailable) as failed:
                await erp.orders(["ord_77"])
            assert not failed.value.outcome_unknown
            with pytest.raises(Unavailable) as failed:
                await erp.create_order(order())
            assert failed.value.outcome_unknown

    @pytest.mark.parametrize("status", [400, 404, 409, 412, 422, 423], ids=str)
    @pytest.mark.parametrize(
        "ask", [lambda erp: erp.orders(["ord_77"]), lambda erp: erp.cancel_order("k1")], ids=["a read", "an undoing"]
    )
    async def test_a_status_of_the_facade_says_nothing_of_a_record(
        self, ask: Callable[[LegacyErp], Awaitable[Any]], status: int
    ):
        async with facade(Reply(status, b'{"RC": "99", "MSG": "there is no such program"}')) as (erp, _):
            with pytest.raises(Unexpected, match="no program"):
                await ask(erp)


class TestRequests:
    async def test_an_order_is_entered_field_by_field(self):
        wanted = order(1, line(1, "PMP-0042", "1.5", "XBX", description="d" * 200, requested_date=None))
        async with facade(answer(ORDER)) as (erp, system):
            await erp.create_order(wanted)
        request = system.requests[-1]
        assert (request.path, request.headers["x-ticket"]) == ("/svc/ORDENT", "t1")
        assert sent(system) == {
            "EXTDC": "or:ord_t1:erp", "ORXREF": "ord_t1", "ORDNO": "SO-900001", "CUXREF": "acc_1", "STXREF": "shp_1",
            "PONO": "PO-1", "CHANL": "PT", "CURCD": "USD", "REQDT": 1260309, "OPXREF": "opp_9", "QUXREF": "",
            "LINS": [{"LINNO": 1, "ITMNO": "PMP-0042", "ITDSC": "d" * 120, "ORDQT": 1500, "UOM": "XBX",
                      "UNPRC": 1234560, "REQDT": 0, "WHSCD": "W01"}],
        }  # fmt: skip

    async def test_no_more_than_fifty_keys_travel_together(self):
        async with facade(answer()) as (erp, system):
            assert await erp.orders([f"ord_{number}" for number in range(260)]) == {}
        asked = [sent(system, place)["KEYS"] for place in range(1, len(system.requests))]
        assert sorted(len(keys) for keys in asked) == [10, 50, 50, 50, 50, 50]
        assert len({key for keys in asked for key in keys}) == 260

    async def test_rules_for_everybody_and_for_every_item_are_asked_for_once(self):
        skus, accounts = [f"SKU-{number}" for number in range(70)], [f"acc_{number}" for number in range(60)]
        async with facade(answer()) as (erp, system):
            await erp.rules(accounts, ["PG-01"], skus)
        asked = [sent(system, place) for place in range(1, len(system.requests))]
        assert sorted(
            (len(one["ITMS"]), one["GENRL"], len(one["CUSS"]), one["GRPS"], one["STNDD"]) for one in asked
        ) == [
            (20, "N", 10, [], "N"),
            (20, "N", 50, ["PG-01"], "Y"),
            (50, "Y", 10, [], "N"),
            (50, "Y", 50, ["PG-01"], "Y"),
        ]

    async def test_only_what_is_given_of_a_customer_is_changed(self):
        async with facade(answer()) as (erp, system):
            await erp.change_customer("acc_1", AccountValues(payment_terms=""))
            await erp.open_billing("acc_1", BillingTerms("NET30", Money(Decimal("8000.50"), "USD")))
            await erp.open_billing("acc_1", BillingTerms("PREPAID", None))
        assert [sent(system, place) for place in (1, 2, 3)] == [
            {"CUXREF": "acc_1", "TRMCD": ""},
            {"CUXREF": "acc_1", "TRMCD": "NET30", "BLKCD": "", "CRLIM": 8_000_500},
            {"CUXREF": "acc_1", "TRMCD": "PREPAID", "BLKCD": "", "NOLIM": "Y"},
        ]

    async def test_a_list_of_orders_is_narrowed_by_codes_and_moments(self):
        at = datetime(2026, 3, 9, 14, 5, 3, 250_001, UTC)
        where = OrderFilter(statuses=(OrderStatus.ACCEPTED, OrderStatus.RECEIVED), po_number="PO-1", start=at)
        async with facade(answer()) as (erp, system):
            await erp.search_orders(replace(where, behind=(at, "ord_77")), PageRequest(5))
        assert sent(system) == {
            "STSS": ["OP"], "PONO": "PO-1", "FRMDT": 1260309, "FRMTM": 140503251, "BHDDT": 1260309,
            "BHDTM": 140503251, "BHXREF": "", "LIMIT": 6,
        }  # fmt: skip


class Counting:
    """A client that counts how many calls are under way; it answers with nothing, or fails."""

    def __init__(self, error: ConnectorError | None = None) -> None:
        self.calls = self.under_way = self.most = 0
        self._error = error

    async def query(self, *_: Any) -> Answer:
        self.calls += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        for _turn in range(10):
            await asyncio.sleep(0)
        self.under_way -= 1
        if self._error is not None:
            raise self._error
        return Answer(200, {"RC": "00", "RECS": [], "NEXT": 0}, {})


class TestManyKeys:
    KEYS = tuple(f"ord_{number}" for number in range(1_000))

    async def test_a_few_calls_of_a_question_are_under_way_at_once(self):
        client = Counting()
        assert await Programs(client).by_keys("orders", "ORDINQ", ("XREF", self.KEYS), dict) == []
        assert (client.calls, client.most) == (20, AT_ONCE)

    async def test_after_a_failure_no_further_call_is_made(self):
        away = Unavailable(SourceSystem.LEGACY_ERP, "orders", "it is away", outcome_unknown=False)
        client = Counting(away)
        with pytest.raises(Unavailable):
            await Programs(client).by_keys("orders", "ORDINQ", ("XREF", self.KEYS), dict)
        for _turn in range(50):
            await asyncio.sleep(0)
        assert client.calls <= 2 * AT_ONCE


class TestTickets:
    async def test_one_ticket_serves_until_shortly_before_its_end(self):
        async with facade(answer()) as (erp, system):
            await asyncio.gather(*(erp.orders(["ord_77"]) for _ in range(3)))
            await erp.orders(["ord_77"])
        assert [request.path for request in system.requests].count("/svc/SIGNON") == 1
        assert sent(system, 0) == {"USER": "CROSSDOCK", "PASWD": "secret"}

    async def test_one_that_has_ended_is_renewed_before_the_next_call(self):
        async with scripted(said(SIGNED_ON | {"TTL": 0}), answer(), said(SIGNED_ON), answer()) as system:
            async with LegacyErp(replace(SETTINGS, base_url=system.url)) as erp:
                await erp.orders(["ord_77"])
                await erp.orders(["ord_77"])
            assert [request.path for request in system.requests] == ["/svc/SIGNON", "/svc/ORDINQ"] * 2

    async def test_a_write_that_met_an_ended_ticket_is_sent_again_with_a_new_one(self):
        ended = Reply(401, b'{"RC": "99", "MSG": "sign on first"}')
        async with facade(ended, said(SIGNED_ON | {"TICKET": "T2"}), answer(ORDER)) as (erp, system):
            assert (await erp.create_order(order())).number == "SO-204511"
        assert [request.headers.get("x-ticket") for request in system.requests] == [None, "t1", None, "t2"]

    @pytest.mark.parametrize("ticket", [{}, [], {"TICKET": "T1"}, {"TICKET": "T1", "TTL": "soon"}], ids=repr)
    async def test_a_sign_on_without_a_ticket_is_said(self, ticket: Any):
        async with facade(ticket=ticket) as (erp, _):
            with pytest.raises(Unexpected, match="no ticket"):
                await erp.orders(["ord_77"])
