"""The orders subgraph as callers meet it: what it tells of orders and the documents that belong to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from schema.enums import HoldKind, InvoiceStatus, OrderStatus, QuoteStatus, ReturnStatus, ShipmentStatus
from schema.graphql.paging import MAX_FIRST
from schema.records.orders import Allocation, ApprovalRecord, OrderHold
from schema.records.values import Money, Quantity
from tests.support.fake_systems import tracking
from tests.support.order_records import DAY, document, entered, erp_line, invoice, milestone, recorded, rma, shipment
from tests.support.orders_world import NOW, OrdersWorld, names, orders_world
from tests.support.rule_records import TODAY

MONEY = "{ amount currency }"


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[OrdersWorld]:
    async with orders_world(sqlite_url) as made:
        yield made


class TestAnOrder:
    async def test_lines_prices_and_dates_are_the_erps_holds_and_version_the_platforms(self, world: OrdersWorld):
        hold = OrderHold(HoldKind.CREDIT, "over the limit", NOW, "CREDIT", NOW + DAY)
        record = recorded(version=4, status=OrderStatus.ON_HOLD, holds=(hold,), po_number="PO-1")
        there = Allocation("W01", Quantity(Decimal(18), "EA"), TODAY, firm=True)
        line = erp_line(allocated=18, backordered=6, promised_date=TODAY, allocations=(there,))
        await world.put(record, document(record, line, promised_date=TODAY, number="ERP-1"))
        fields = f"""
          id number version poNumber channel status homeErp promisedDate acceptedAt
          holds {{ kind reason since ownerQueue dueAt }} subtotal {MONEY} tax {MONEY} freight {MONEY} total {MONEY}
          account {{ id }} shipTo {{ id }} externalRefs {{ system id current }} freshness {{ source asOf stale note }}
          lines {{
            totalCount pageInfo {{ hasNextPage }}
            nodes {{
              id lineNo description item {{ id sku }} ordered {{ value uom }} allocated {{ value }}
              backordered {{ value }} cancelled {{ value }} unitPrice {MONEY} extended {MONEY} promisedDate
              allocations {{ warehouse {{ id code }} quantity {{ value uom }} shipDate firm }}
            }}
          }}
        """
        assert await world.order(fields) == {
            "id": "ord_1",
            "number": "SO-300001",
            "version": 4,
            "poNumber": "PO-1",
            "channel": "PORTAL",
            "status": "ON_HOLD",
            "homeErp": "CLOUD_ERP",
            "promisedDate": "2026-03-04",
            "acceptedAt": "2025-11-24T16:01:00Z",
            "holds": [
                {
                    "kind": "CREDIT",
                    "reason": "over the limit",
                    "since": "2026-03-04T15:00:00Z",
                    "ownerQueue": "CREDIT",
                    "dueAt": "2026-03-05T15:00:00Z",
                }
            ],
            "subtotal": {"amount": "866.40", "currency": "USD"},
            "tax": {"amount": "50.00", "currency": "USD"},
            "freight": {"amount": "12.00", "currency": "USD"},
            "total": {"amount": "928.40", "currency": "USD"},
            "account": {"id": "acc_1"},
            "shipTo": {"id": "shp_1"},
            "externalRefs": [{"system": "CLOUD_ERP", "id": "SO-300001", "current": True}],
            "freshness": {"source": "CLOUD_ERP", "asOf": "2026-03-04T15:00:00Z", "stale": False, "note": None},
            "lines": {
                "totalCount": 1,
                "pageInfo": {"hasNextPage": False},
                "nodes": [
                    {
                        "id": "ord_1:1",
                        "lineNo": 1,
                        "description": "Pump",
                        "item": {"id": "itm_PMP-0042", "sku": "PMP-0042"},
                        "ordered": {"value": "24", "uom": "EA"},
                        "allocated": {"value": "18"},
                        "backordered": {"value": "6"},
                        "cancelled": {"value": "0"},
                        "unitPrice": {"amount": "36.10", "currency": "USD"},
                        "extended": {"amount": "866.40", "currency": "USD"},
                        "promisedDate": "2026-03-04",
                        "allocations": [
                            {
                                "warehouse": {"id": "wh_W01", "code": "W01"},
                                "quantity": {"value": "18", "uom": "EA"},
                                "shipDate": "2026-03-04",
                                "firm": True,
                            }
                        ],
                    }
                ],
            },
        }

    async def test_before_the_erp_has_it_it_is_what_was_submitted(self, world: OrdersWorld):
        record = recorded(status=OrderStatus.VALIDATING, erp_number=None, accepted_at=None)
        unpriced = replace(record.lines[0], line_no=2, unit_price=None)
        await world.put(replace(record, lines=(*record.lines, unpriced)))
        fields = f"""
          status acceptedAt tax {MONEY} total {MONEY} externalRefs {{ id }} freshness {{ source stale }}
          shipments {{ id }} lines {{ nodes {{ extended {MONEY} unitPrice {MONEY} }} }}
        """
        price = {"amount": "36.10", "currency": "USD"}
        value = {"amount": "866.40", "currency": "USD"}
        assert await world.order(fields) == {
            "status": "VALIDATING",
            "acceptedAt": None,
            "tax": None,
            "total": value,
            "externalRefs": [],
            "freshness": {"source": "PLATFORM", "stale": False},
            "shipments": [],
            "lines": {"nodes": [{"extended": value, "unitPrice": price}, {"extended": None, "unitPrice": None}]},
        }
        assert world.calls == ["ledger.orders"]

    async def test_one_that_was_entered_in_the_erp_is_an_order_like_any_other(self, world: OrdersWorld):
        await world.put(None, entered(7, number="ERP-7"))
        found = await world.data('{ orderByNumber(number: "ERP-7") { id version channel holds { kind } } }')
        assert found == {"orderByNumber": {"id": "ord_7", "version": 1, "channel": "EDI", "holds": []}}

    @pytest.mark.parametrize(
        ("record", "erp", "shown"),
        [
            pytest.param("RECEIVED", "ACCEPTED", "ACCEPTED", id="the ERP accepts"),
            pytest.param("ACCEPTED", "VALIDATING", "VALIDATING", id="the ERP has not decided"),
            pytest.param("ACCEPTED", "ON_HOLD", "ON_HOLD", id="the ERP holds it"),
            pytest.param("ACCEPTED", "COMPLETED", "COMPLETED", id="the ERP completes it"),
            pytest.param("ON_HOLD", "ACCEPTED", "ON_HOLD", id="somebody here decides"),
            pytest.param("CHANGE_PENDING", "ACCEPTED", "CHANGE_PENDING", id="it is being changed"),
            pytest.param("CANCEL_PENDING", "ACCEPTED", "CANCEL_PENDING", id="it is being cancelled"),
            pytest.param("CANCEL_PENDING", "CANCELLED", "CANCELLED", id="the ERP has cancelled it"),
            pytest.param("REJECTED", "ACCEPTED", "REJECTED", id="it is being taken back"),
            pytest.param("REJECTED", "CANCELLED", "CANCELLED", id="it is taken back"),
            pytest.param("COMPLETED", "ACCEPTED", "COMPLETED", id="all is delivered and invoiced"),
        ],
    )
    async def test_its_status_is_what_both_halves_make(self, world: OrdersWorld, record: str, erp: str, shown: str):
        of = recorded(status=OrderStatus(record))
        await world.put(of, document(of, status=OrderStatus(erp)))
        assert (await world.order("status"))["status"] == shown

    async def test_a_document_that_the_platform_does_not_know_of_yet_changes_nothing(self, world: OrdersWorld):
        await world.put(recorded(status=OrderStatus.VALIDATING, erp_number=None), document())
        listed = (await world.data("{ orders { nodes { status tax { amount } } } }"))["orders"]["nodes"]
        assert [await world.order("status tax { amount }")] == listed == [{"status": "VALIDATING", "tax": None}]

    async def test_it_leads_to_what_belongs_to_it(self, world: OrdersWorld):
        await world.fill()
        fields = """
          quote { id } opportunity { id }
          shipments { id order { id } lines { orderLine { id } lot quantity { value uom } } }
          invoices { id order { id } } returns { id order { id } lines { orderLine { id } reason quantity { value } } }
        """
        assert await world.order(fields) == {
            "quote": {"id": "quo_1"},
            "opportunity": {"id": "opp_9"},
            "shipments": [
                {
                    "id": "sh_S-1",
                    "order": {"id": "ord_1"},
                    "lines": [
                        {"orderLine": {"id": "ord_1:1"}, "lot": "LOT-7", "quantity": {"value": "24", "uom": "EA"}}
                    ],
                }
            ],
            "invoices": [{"id": "inv_INV-1", "order": {"id": "ord_1"}}],
            "returns": [
                {
                    "id": "rma_R-1",
                    "order": {"id": "ord_1"},
                    "lines": [{"orderLine": {"id": "ord_1:1"}, "reason": "damaged", "quantity": {"value": "4"}}],
                }
            ],
        }

    async def test_its_lines_are_paged_by_number(self, world: OrdersWorld):
        await world.put(recorded(), document(None, *(erp_line(number) for number in (3, 1, 2))))
        page = "nodes { lineNo } pageInfo { hasNextPage hasPreviousPage endCursor } totalCount"
        found = (await world.order(f"lines(first: 2) {{ {page} }}"))["lines"]
        assert found == {
            "nodes": [{"lineNo": 1}, {"lineNo": 2}],
            "pageInfo": {"hasNextPage": True, "hasPreviousPage": False, "endCursor": "ord_1:2"},
            "totalCount": 3,
        }
        found = (await world.order(f'lines(first: 2, after: "ord_1:2") {{ {page} }}'))["lines"]
        assert found["nodes"] == [{"lineNo": 3}]
        assert found["pageInfo"] == {"hasNextPage": False, "hasPreviousPage": True, "endCursor": "ord_1:3"}

    @pytest.mark.parametrize(
        "asked", ['after: "ord_2:1"', 'after: "x"', "first: 0", f"first: {MAX_FIRST + 1}"], ids=str
    )
    async def test_a_page_of_lines_that_cannot_be_is_refused(self, world: OrdersWorld, asked: str):
        await world.put(recorded(), document())
        error = await world.error(f'{{ order(id: "ord_1") {{ lines({asked}) {{ nodes {{ id }} }} }} }}')
        assert error["extensions"]["code"] == "BAD_USER_INPUT"


class TestDocuments:
    async def test_a_quote_is_told_whole(self, world: OrdersWorld):
        approval = ApprovalRecord("MANAGER", "margin", NOW, NOW + DAY, "APPROVED", "user:usr_1", "fine")
        asked = ApprovalRecord("PRICING", "floor", NOW, by="system:crossdock")
        await world.save(approvals=(approval, asked), ship_to_id="shp_1", status=QuoteStatus.APPROVED)
        fields = f"""
          id number version status validUntil createdAt account {{ id }} shipTo {{ id }} opportunity {{ id }}
          order {{ id }} total {MONEY} approvals {{ level reason requestedAt decidedAt decision by {{ id }} comment }}
          lines {{ lineNo item {{ id sku }} quantity {{ value uom }} unitPrice {MONEY} listPrice {MONEY} priceSource }}
        """
        assert (await world.data(f'{{ quote(id: "quo_1") {{ {fields} }} }}'))["quote"] == {
            "id": "quo_1",
            "number": "Q-900001",
            "version": 1,
            "status": "APPROVED",
            "validUntil": "2026-04-04",
            "createdAt": "2026-03-05T15:00:00Z",
            "account": {"id": "acc_1"},
            "shipTo": {"id": "shp_1"},
            "opportunity": {"id": "opp_9"},
            "order": None,
            "total": {"amount": "866.40", "currency": "USD"},
            "approvals": [
                {
                    "level": "MANAGER",
                    "reason": "margin",
                    "requestedAt": "2026-03-04T15:00:00Z",
                    "decidedAt": "2026-03-05T15:00:00Z",
                    "decision": "APPROVED",
                    "by": {"id": "usr_1"},
                    "comment": "fine",
                },
                {
                    "level": "PRICING",
                    "reason": "floor",
                    "requestedAt": "2026-03-04T15:00:00Z",
                    "decidedAt": None,
                    "decision": None,
                    "by": None,
                    "comment": None,
                },
            ],
            "lines": [
                {
                    "lineNo": 1,
                    "item": {"id": "itm_PMP-0042", "sku": "PMP-0042"},
                    "quantity": {"value": "24", "uom": "EA"},
                    "unitPrice": {"amount": "36.10", "currency": "USD"},
                    "listPrice": None,
                    "priceSource": "CONTRACT",
                }
            ],
        }

    async def test_a_shipment_is_told_by_warehouse_and_carrier(self, world: OrdersWorld):
        await world.put(recorded(), document())
        left = milestone("LOADED", ShipmentStatus.LOADED, NOW - DAY)
        world.ship(shipment(status=ShipmentStatus.LOADED, milestones=(left,), planned_delivery=NOW + DAY))
        moving = milestone("X4", ShipmentStatus.IN_TRANSIT, NOW, place="Memphis", reason_code="NS")
        world.tms.loads["S-1"] = tracking("S-1", left, moving, estimated_delivery=NOW + DAY)
        fields = """
          id number status carrier trackingNumber sscc plannedDelivery estimatedDelivery deliveredAt proofOfDeliveryUrl
          warehouse { id code } milestones { code status at place reasonCode source }
        """
        found = await world.data(f'{{ shipmentByTracking(trackingNumber: "PROS-1") {{ {fields} }} }}')
        assert found["shipmentByTracking"] == {
            "id": "sh_S-1",
            "number": "S-1",
            "status": "IN_TRANSIT",
            "carrier": "EXMP",
            "trackingNumber": "PROS-1",
            "sscc": ["003456789012345675"],
            "plannedDelivery": "2026-03-05T15:00:00Z",
            "estimatedDelivery": "2026-03-05T15:00:00Z",
            "deliveredAt": None,
            "proofOfDeliveryUrl": None,
            "warehouse": {"id": "wh_W01", "code": "W01"},
            "milestones": [
                {
                    "code": "LOADED",
                    "status": "LOADED",
                    "at": "2026-03-03T15:00:00Z",
                    "place": None,
                    "reasonCode": None,
                    "source": "TMS",
                },
                {
                    "code": "X4",
                    "status": "IN_TRANSIT",
                    "at": "2026-03-04T15:00:00Z",
                    "place": "Memphis",
                    "reasonCode": "NS",
                    "source": "TMS",
                },
            ],
        }

    async def test_invoice_and_return_are_told_whole(self, world: OrdersWorld):
        world.erp.invoices_by_id["inv_INV-1"] = invoice(order_id=None, pdf_url="https://erp.example/1.pdf")
        world.erp.returns_by_id["rma_R-1"] = rma(status=ReturnStatus.CREDITED, credit=Money(Decimal("144.40"), "USD"))
        query = f"""{{
          invoiceByNumber(number: "INV-1") {{
            id number status postedAt dueDate total {MONEY} balance {MONEY} pdfUrl order {{ id }}
          }}
          return(id: "rma_R-1") {{ id rmaNumber status credit {MONEY} createdAt lines {{ disposition }} }}
        }}"""
        assert await world.data(query) == {
            "invoiceByNumber": {
                "id": "inv_INV-1",
                "number": "INV-1",
                "status": "POSTED",
                "postedAt": "2026-02-02T00:00:00Z",
                "dueDate": "2026-03-01",
                "total": {"amount": "928.40", "currency": "USD"},
                "balance": {"amount": "928.40", "currency": "USD"},
                "pdfUrl": "https://erp.example/1.pdf",
                "order": None,
            },
            "return": {
                "id": "rma_R-1",
                "rmaNumber": "R-1",
                "status": "CREDITED",
                "credit": {"amount": "144.40", "currency": "USD"},
                "createdAt": "2026-02-02T00:00:00Z",
                "lines": [{"disposition": None}],
            },
        }

    @pytest.mark.parametrize("kind", ["quotes", "invoices", "returns"])
    async def test_an_accounts_documents_are_paged_newest_first(self, world: OrdersWorld, kind: str):
        for count in range(1, 6):
            await world.save(count)
            world.erp.invoices_by_id[f"inv_INV-{count}"] = invoice(count)
            world.erp.returns_by_id[f"rma_R-{count}"] = rma(count)
        page = "nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } totalCount"
        found: list[str] = []
        after, pages = "", []
        while len(pages) < 4:
            asked = f"{kind}(first: 2{after}) {{ {page} }}"
            (row,) = await world.entities(f"... on Account {{ {asked} }}", {"__typename": "Account", "id": "acc_1"})
            pages.append(row[kind])
            found += names(row[kind]["nodes"])
            if not row[kind]["pageInfo"]["hasNextPage"]:
                break
            after = f', after: "{row[kind]["pageInfo"]["endCursor"]}"'
        assert [int(one[-1]) for one in found] == [5, 4, 3, 2, 1]
        assert [one["totalCount"] for one in pages] == [5, None, None]
        assert [one["pageInfo"]["hasPreviousPage"] for one in pages] == [False, True, True]

    @pytest.mark.parametrize("kind", ["quotes", "invoices", "returns", "orders"])
    @pytest.mark.parametrize("asked", ['after: "junk"', "first: 0", f"first: {MAX_FIRST + 1}"], ids=str)
    async def test_a_page_that_cannot_be_is_refused(self, world: OrdersWorld, kind: str, asked: str):
        query = f"""{{ _entities(representations: [{{ __typename: "Account", id: "acc_1" }}]) {{
          ... on Account {{ {kind}({asked}) {{ nodes {{ id }} }} }}
        }} }}"""
        answer = await world.ask(query)
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert answer["data"] == {"_entities": [{kind: None}]}
        assert world.calls == []

    async def test_an_accounts_documents_can_be_narrowed_to_a_status(self, world: OrdersWorld):
        for count, status in enumerate((QuoteStatus.SENT, QuoteStatus.PRICED), start=1):
            await world.save(count, status=status)
        for count, state in enumerate((InvoiceStatus.PAID, InvoiceStatus.POSTED), start=1):
            world.erp.invoices_by_id[f"inv_INV-{count}"] = invoice(count, status=state)
        fields = "quotes(status: SENT) { nodes { id } } invoices(status: PAID) { nodes { id } totalCount }"
        (row,) = await world.entities(f"... on Account {{ {fields} }}", {"__typename": "Account", "id": "acc_1"})
        assert row["quotes"]["nodes"] == [{"id": "quo_1"}]
        assert row["invoices"] == {"nodes": [{"id": "inv_INV-1"}], "totalCount": 1}

    async def test_an_opportunity_has_its_quotes_and_the_orders_they_became(self, world: OrdersWorld):
        await world.fill()
        await world.save(2)
        fields = "... on Opportunity { id quotes { id } orders { id } }"
        assert await world.entities(fields, {"__typename": "Opportunity", "id": "opp_9"}) == [
            {"id": "opp_9", "quotes": [{"id": "quo_2"}, {"id": "quo_1"}], "orders": [{"id": "ord_1"}]}
        ]

    async def test_an_account_has_an_open_value(self, world: OrdersWorld):
        world.erp.open["acc_1"] = Money(Decimal("120.50"), "USD")
        keys = [{"__typename": "Account", "id": name} for name in ("acc_1", "acc_2")]
        rows = await world.entities(f"... on Account {{ openOrderValue {MONEY} }}", *keys)
        assert rows == [{"openOrderValue": {"amount": "120.50", "currency": "USD"}}, {"openOrderValue": None}]
