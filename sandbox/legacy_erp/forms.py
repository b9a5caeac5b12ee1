"""What programs that write are given: records and lists of them, as the books want them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.erp_book.codes import BadField, ErpError
from sandbox.legacy_erp.fields import Field, Kind, parse
from sandbox.legacy_erp.layouts import (
    CUSTOMER,
    MONEY,
    ORDER_HEAD,
    ORDER_LINE,
    PRICE,
    PRICE_BREAK,
    QUANTITY,
    RETURN_LINE,
    SHIP_TO,
    TAX_REGISTRATION,
    UNIT_PRICE,
    XREF,
)

__all__ = [
    "CANCELLATION",
    "CREDIT_NOTE",
    "CUSTOMER_CHANGE",
    "MERGE",
    "NEW_CUSTOMER",
    "NEW_ORDER",
    "NEW_RETURN",
    "ORDER_CHANGE",
    "ORDER_KEY",
    "PRICE_KEY",
    "PRICE_ROW",
    "REBILL",
    "RECEIPT",
    "RETURN_KEY",
    "Form",
]

MAX_ENTRIES = 500
"""Entries of one list."""

KEY = Field("KEY", "key", Kind.TEXT, 120)


@dataclass(frozen=True, slots=True)
class Form:
    """Fields of a record, and its lists: the books' name and the fields of an entry, by the name on the wire."""

    fields: Sequence[Field]
    lists: Mapping[str, tuple[str, Sequence[Field]]] = field(default_factory=dict)

    def read(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a record says, by the books' names.

        Raises:
            BadField: a value is none of its field; ``target`` is its path in the books' names.
        """
        found = parse(self.fields, record)
        for name, (theirs, layout) in self.lists.items():
            found[theirs] = [_entry(layout, entry, f"{theirs}/{at}") for at, entry in enumerate(_list(record, name))]
        return found

    def wire_name(self, target: str) -> str:
        """Return the path of the books' names in those of the wire."""
        first, *rest = target.split("/")
        for name, (theirs, layout) in self.lists.items():
            if theirs == first:
                return "/".join([name, *rest[:1], *(_name(layout, part) for part in rest[1:])])
        return _name(self.fields, first)


def _list(record: Mapping[str, Any], name: str) -> Sequence[Any]:
    given = record.get(name, [])
    if not isinstance(given, list) or len(given) > MAX_ENTRIES:
        raise BadField(ErpError.BAD_REQUEST, f"{name} is a list of at most {MAX_ENTRIES} entries", name)
    return given


def _entry(layout: Sequence[Field], entry: object, target: str) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise BadField(ErpError.BAD_REQUEST, "an entry of a list is a record", target)
    try:
        return parse(layout, entry)
    except BadField as wrong:
        raise BadField(wrong.code, wrong.message, f"{target}/{wrong.target}") from wrong


def _name(layout: Sequence[Field], column: str) -> str:
    return next((one.name for one in layout if one.column == column), column)


def _only(layout: Sequence[Field], names: str) -> tuple[Field, ...]:
    return tuple(one for one in layout if one.name in names.split())


def _quantity(name: str) -> Field:
    return Field(name, "quantity", Kind.NUMBER, QUANTITY, refusal=ErpError.QUANTITY)


_PRICE = Field("UNPRC", "unitPrice", Kind.NUMBER, UNIT_PRICE, refusal=ErpError.PRICE)
_WANTED = Field("REQDT", "requestedDeliveryDate", Kind.DATE)
_LINE_NO = Field("LINNO", "sequence", Kind.NUMBER)
_INVOICE_NO = Field("INVNO", "number", Kind.TEXT, 20)
_RETURN_NO = Field("RMANO", "number", Kind.TEXT, 20)
_ORDER_REF = Field("ORXREF", "orderId", Kind.TEXT, XREF)

_DOCUMENT = Field("EXTDC", "externalDocumentNumber", Kind.TEXT, 120)

_NEW_LINES = {
    "LINS": (
        "lines",
        (*_only(ORDER_LINE, "LINNO ITMNO ITDSC UOM WHSCD"), _quantity("ORDQT"), _PRICE, _WANTED),
    )
}
NEW_ORDER = Form(
    (
        _DOCUMENT,
        *_only(ORDER_HEAD, "ORDNO ORXREF CUXREF STXREF PONO CHANL CURCD REQDT OPXREF QUXREF"),
    ),
    _NEW_LINES,
)
CANCELLATION = Form((_DOCUMENT,))
ORDER_KEY = Form((KEY, _ORDER_REF))
ORDER_CHANGE = Form((KEY, _ORDER_REF), _NEW_LINES)
_CARD = "CUXREF CUNAM ADDR1 CITY REGN PSTCD CTRY TRMCD BLKCD CRLIM"
NEW_CUSTOMER = Form(
    _only(CUSTOMER, f"{_CARD} CURCD PRGRP"),
    {
        "TAXS": ("taxRegistrations", TAX_REGISTRATION),
        "SHTS": ("shipToAddresses", _only(SHIP_TO, "STXREF STCOD ADDR1 CITY REGN PSTCD CTRY GLN TXJUR")),
    },
)
CUSTOMER_CHANGE = Form((*_only(CUSTOMER, f"{_CARD} PRGRP"), Field("NOLIM", "noLimit", Kind.FLAG)))
PRICE_ROW = Form(PRICE, {"BRKS": ("breaks", PRICE_BREAK)})
PRICE_KEY = Form(_only(PRICE, "PRCNO"))
MERGE = Form((KEY, Field("CUXREF", "duplicateId", Kind.TEXT, XREF), Field("SRVREF", "accountId", Kind.TEXT, XREF)))
CREDIT_NOTE = Form((KEY, _INVOICE_NO))
REBILL = Form(
    (
        KEY,
        _INVOICE_NO,
        Field("TAXAM", "taxAmount", Kind.NUMBER, MONEY),
        Field("FRTAM", "freight", Kind.NUMBER, MONEY),
    ),
    {"LINS": ("lines", (_LINE_NO, _quantity("BILQT"), _PRICE))},
)
NEW_RETURN = Form(
    (KEY, _RETURN_NO, _ORDER_REF),
    {"LINS": ("lines", (_LINE_NO, _quantity("RTNQT"), *_only(RETURN_LINE, "UOM RSNCD")))},
)
RETURN_KEY = Form((KEY, _RETURN_NO))
RECEIPT = Form((KEY, _RETURN_NO), {"LINS": ("lines", (_LINE_NO, _quantity("RTNQT"), *_only(RETURN_LINE, "DSPCD")))})
