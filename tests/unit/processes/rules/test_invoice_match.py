from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from processes.rules.invoice_match import Agreed, AgreedLine, match
from schema.enums import InvoiceStatus
from schema.records.invoices import InvoicedLine, PostedInvoice
from schema.records.orders import Invoice
from schema.records.values import Money


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def agreed(shipped: str = "6", billed: str = "0", freight: str = "45.00") -> Agreed:
    line = AgreedLine(usd("36.10"), Decimal(shipped), Decimal(billed))
    return Agreed({1: line}, usd("216.60"), usd("10.83"), usd(freight))


def bill(quantity: str = "6", net: str = "216.60", total: str = "272.43", line_no: int = 1) -> PostedInvoice:
    made = Invoice(
        id="inv_1",
        number="1",
        account_id="acc_1",
        order_id="ord_1",
        status=InvoiceStatus.POSTED,
        posted_at=datetime(2026, 3, 4, tzinfo=UTC),
        due_date=None,
        total=usd(total),
        balance=usd(total),
        pdf_url=None,
    )
    line = InvoicedLine(line_no, Decimal(quantity), usd("36.10"), usd(net))
    return PostedInvoice(1, made, usd("10.83"), usd("45.00"), (line,))


@pytest.mark.parametrize(
    ("posted", "order"),
    [
        pytest.param(bill(), agreed(), id="all of it with tax and freight"),
        pytest.param(bill(net="216.61", total="272.44"), agreed(), id="a cent of a line"),
        pytest.param(bill(total="273.43"), agreed(), id="one dollar of the invoice"),
        pytest.param(bill("3", "108.30", "158.72"), agreed("3"), id="the part that was shipped"),
        pytest.param(bill("3", "108.30", "113.72"), agreed("6", "3", "0"), id="the rest, freight billed before"),
    ],
)
def test_an_invoice_fits_up_to_rounding(posted: PostedInvoice, order: Agreed) -> None:
    assert match(posted, order) is None


@pytest.mark.parametrize(
    ("posted", "order", "difference", "said"),
    [
        pytest.param(bill(net="216.62", total="272.45"), agreed(), "0.02", "216.62", id="two cents of a line"),
        pytest.param(bill(total="273.44"), agreed(), "1.01", "273.44", id="more than a dollar of the invoice"),
        pytest.param(bill(), agreed("5"), "37.90", "of which 5 were shipped", id="more than was shipped"),
        pytest.param(bill(), agreed("6", "6", "0"), "272.43", "of which 0 were shipped", id="what was billed before"),
        pytest.param(bill(line_no=9), agreed(), "227.43", "was not ordered", id="a line that was not ordered"),
        pytest.param(bill(total="227.43"), agreed(), "-45.00", "227.43", id="too little"),
    ],
)
def test_what_does_not_fit_is_said_with_its_difference(
    posted: PostedInvoice, order: Agreed, difference: str, said: str
) -> None:
    found = match(posted, order)
    assert found is not None
    assert (found.difference, found.invoice_number) == (usd(difference), "1")
    assert said in found.message


def test_an_invoice_in_another_currency_does_not_fit() -> None:
    line = replace(bill().lines[0], net=Money(Decimal("216.60"), "EUR"))
    assert match(replace(bill(), lines=(line,)), agreed()) is not None
