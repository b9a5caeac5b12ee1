"""Tax numbers are masked wherever a document says them, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import pytest

from events.masking import without_tax_numbers

REGISTRATION = {"kind": "VAT", "number": "DE136695976", "jurisdiction": "DE"}


@pytest.mark.parametrize(
    ("document", "masked"),
    [
        pytest.param(
            {"tax_registrations": [REGISTRATION]},
            {"tax_registrations": [REGISTRATION | {"number": "***976"}]},
            id="a registration of a record",
        ),
        pytest.param(
            {"taxRegistrations": (REGISTRATION,)},
            {"taxRegistrations": [REGISTRATION | {"number": "***976"}]},
            id="a registration of a request",
        ),
        pytest.param(
            {
                "applicant": {"tax_registrations": [REGISTRATION]},
                "checks": [{"detail": "DE136695976 is not registered", "result": "FAILED"}],
            },
            {
                "applicant": {"tax_registrations": [REGISTRATION | {"number": "***976"}]},
                "checks": [{"detail": "***976 is not registered", "result": "FAILED"}],
            },
            id="what a check says of it",
        ),
        pytest.param(
            {"problems": [{"type": "TaxInvalid", "number": "DE1", "message": "DE1 is no VAT id"}]},
            {"problems": [{"type": "TaxInvalid", "number": "***", "message": "*** is no VAT id"}]},
            id="a problem with a short one",
        ),
        pytest.param(
            {"tax_registrations": [{"number": "12-345"}, {"number": "12-345-678"}], "said": "12-345-678 and 12-345"},
            {"tax_registrations": [{"number": "***"}, {"number": "***678"}], "said": "***678 and ***"},
            id="a number within another",
        ),
    ],
)
def test_a_tax_number_is_masked(document: Any, masked: Any):
    assert without_tax_numbers(document) == masked


@pytest.mark.parametrize(
    "document",
    [
        None,
        7,
        "DE136695976",
        {"number": "SO-1", "lines": [{"number": "1"}]},
        {"problems": [{"type": "Stockout", "number": "SO-1"}]},
        {"tax_registrations": None},
        {"tax_registrations": [{"number": ""}, {"number": None}, "DE1"]},
    ],
)
def test_what_is_no_tax_number_stays(document: Any):
    assert without_tax_numbers(document) == document
