"""Posted invoices that were wrong, against the served ERP sandbox: credited, taken back, billed anew, each once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox.erp_book.posting import post_due
from schema.enums import InvoiceStatus
from schema.records.invoices import InvoicedLine, PostedInvoice, Rebilling
from schema.records.values import Money
from systems.errors import NotFound, Rejected, Unavailable
from tests.support.erp_orders import order
from tests.support.erps import ErpConnector
from tests.support.sandboxes import ServedSandbox


@pytest.fixture
async def posted(erp: ErpConnector, served: ServedSandbox) -> PostedInvoice:
    """An invoice that the ERP has posted of an order."""
    made = await erp.create_order(order(1))
    await erp.allocate("alloc-1", made.id)
    post_due(served.host.store, datetime.now(UTC) + timedelta(days=2))
    (found,) = await erp.posted_after(0, 10)
    assert isinstance(found, PostedInvoice)
    return found


def anew(posted: PostedInvoice, key: str = "rebill-1", price: str = "1.00") -> Rebilling:
    line, currency = posted.lines[0], posted.invoice.total.currency
    unit = Money(Decimal(price), currency)
    net = Money(line.quantity * unit.amount, currency)
    none = Money(Decimal(0), currency)
    return Rebilling(key, posted.invoice.number, (InvoicedLine(line.line_no, line.quantity, unit, net),), none, none)


async def shown(erp: ErpConnector, posted: PostedInvoice) -> tuple[Any, ...]:
    """Return status and balance of the invoice, and how much of the order is invoiced."""
    invoice = (await erp.invoices([posted.invoice.id]))[posted.invoice.id]
    document = (await erp.orders([str(posted.invoice.order_id)]))[str(posted.invoice.order_id)]
    return invoice.status, invoice.balance.amount, sum(line.invoiced for line in document.lines)


async def test_an_invoice_is_credited_as_a_whole_once(erp: ErpConnector, posted: PostedInvoice):
    memo = await erp.credit_invoice("credit-1", posted.invoice.number)
    assert memo.startswith("SC-")
    assert await shown(erp, posted) == (InvoiceStatus.CREDITED, 0, 0)
    assert await erp.credit_invoice("credit-1", posted.invoice.number) == memo
    with pytest.raises(Rejected) as caught:
        await erp.credit_invoice("credit-2", posted.invoice.number)
    assert caught.value.reason == "INVOICE_STATE"


async def test_a_credit_that_is_taken_back_leaves_the_invoice_as_it_was(erp: ErpConnector, posted: PostedInvoice):
    before = await shown(erp, posted)
    await erp.credit_invoice("credit-1", posted.invoice.number)
    for _ in range(2):
        await erp.take_credit_back("credit-1", posted.invoice.number)
        assert await shown(erp, posted) == before
    await erp.take_credit_back("credit-of-nobody", posted.invoice.number)
    assert await shown(erp, posted) == before


async def test_what_is_owed_is_billed_anew_and_comes_with_the_next_postings(erp: ErpConnector, posted: PostedInvoice):
    await erp.credit_invoice("credit-1", posted.invoice.number)
    assert await erp.find_rebilling("rebill-1") is None
    number = await erp.bill_anew(anew(posted))
    assert await erp.bill_anew(anew(posted)) == number
    assert await erp.find_rebilling("rebill-1") == number
    (made,) = await erp.posted_after(posted.entry, 10)
    assert isinstance(made, PostedInvoice)
    assert (made.invoice.number, made.invoice.order_id) == (number, posted.invoice.order_id)
    assert made.invoice.total.amount == posted.lines[0].quantity
    assert (await shown(erp, posted))[2] == posted.lines[0].quantity


async def test_an_answer_that_is_lost_is_looked_up(erp: ErpConnector, posted: PostedInvoice, served: ServedSandbox):
    await erp.credit_invoice("credit-1", posted.invoice.number)
    await served.faults(lost_answer_rate=1, hang_s=0.1, only={"methods": ["POST"]})
    with pytest.raises(Unavailable) as caught:
        await erp.bill_anew(anew(posted))
    assert caught.value.outcome_unknown
    await served.faults()
    (made,) = await erp.posted_after(posted.entry, 10)
    assert isinstance(made, PostedInvoice)
    assert await erp.find_rebilling("rebill-1") == made.invoice.number


async def test_what_stands_is_not_billed_anew_and_no_more_than_was_shipped(erp: ErpConnector, posted: PostedInvoice):
    with pytest.raises(Rejected) as caught:
        await erp.bill_anew(anew(posted))
    assert caught.value.reason == "INVOICE_STATE"
    await erp.credit_invoice("credit-1", posted.invoice.number)
    await erp.bill_anew(anew(posted))
    with pytest.raises(Rejected) as caught:
        await erp.bill_anew(anew(posted, "rebill-2"))
    assert (caught.value.reason, caught.value.fields) == ("QUANTITY", ("lines.0.quantity",))


async def test_an_invoice_that_was_never_posted_is_not_found(erp: ErpConnector):
    with pytest.raises(NotFound):
        await erp.credit_invoice("credit-1", "SI-0")
