"""Programs that write: each changes the books in one transaction, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.erp_book.allocation import allocate, deallocate
from sandbox.erp_book.changes import change_lines
from sandbox.erp_book.codes import BadField, ErpError
from sandbox.erp_book.corrections import InvoiceCorrections
from sandbox.erp_book.customer_cards import CustomerCards
from sandbox.erp_book.customer_merges import CustomerMerges
from sandbox.erp_book.documents import Documents
from sandbox.erp_book.order_entry import read_key
from sandbox.erp_book.price_lines import CHANGEABLE, PriceLines
from sandbox.erp_book.return_orders import ReturnOrders
from sandbox.kit.due import DueWork
from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal
from sandbox.legacy_erp import forms
from sandbox.legacy_erp.fields import render
from sandbox.legacy_erp.forms import Form
from sandbox.legacy_erp.inquiry import Answer
from sandbox.legacy_erp.layouts import ALLOCATION
from sandbox.legacy_erp.records import show

__all__ = ["Entry"]

Body = Mapping[str, Any]


class Entry:
    """The writing programs of one sandbox."""

    def __init__(self, host: Host, due: DueWork) -> None:
        self._store = host.store
        self._clock = host.clock
        self._due = due
        self._documents = Documents(host)
        self._cards = CustomerCards(host)
        self._merges = CustomerMerges(host)
        self._corrections = InvoiceCorrections(host)
        self._returns = ReturnOrders(host)
        self._prices = PriceLines(host)
        self._programs: Mapping[str, tuple[Form, Callable[[Body], Answer]]] = {
            "ORDENT": (forms.NEW_ORDER, self._enter_order),
            "ORDCNL": (forms.CANCELLATION, self._cancel_order),
            "ORDCHG": (forms.ORDER_CHANGE, self._change_order),
            "ORDALC": (forms.ORDER_KEY, self._allocate),
            "ORDDLC": (forms.ORDER_KEY, self._deallocate),
            "CUSENT": (forms.NEW_CUSTOMER, self._enter_customer),
            "CUSMNT": (forms.CUSTOMER_CHANGE, self._change_customer),
            "CUSMRG": (forms.MERGE, lambda body: self._merge("mergeInto", body)),
            "CUSUMG": (forms.MERGE, lambda body: self._merge("takeMergeBack", body)),
            "PRCENT": (forms.PRICE_ROW, self._enter_price),
            "PRCMNT": (forms.PRICE_ROW, self._change_price),
            "PRCDEL": (forms.PRICE_KEY, self._remove_price),
            "INVCRD": (forms.CREDIT_NOTE, lambda body: self._correct("credit", body)),
            "INVUCR": (forms.CREDIT_NOTE, lambda body: self._correct("takeCreditBack", body)),
            "INVRBL": (forms.REBILL, lambda body: self._correct("billAnew", body)),
            "RMAENT": (forms.NEW_RETURN, self._enter_return),
            "RMACNL": (forms.RETURN_KEY, lambda body: self._on_return("cancel", body)),
            "RMARCV": (forms.RECEIPT, lambda body: self._on_return("receive", body)),
            "RMACRD": (forms.RETURN_KEY, lambda body: self._on_return("credit", body)),
            "RMARPL": (forms.RETURN_KEY, lambda body: self._on_return("replace", body)),
        }

    def program(self, name: str) -> Callable[[Body], Answer] | None:
        """Return a program, None when there is none of this name.

        It raises a Refusal whose field, if it names one, is that of the wire, and has done nothing then.
        """
        known = self._programs.get(name)
        if known is None:
            return None
        form, does = known

        def run(record: Body) -> Answer:
            try:
                with self._store.transaction():
                    return does(form.read(record))
            except BadField as wrong:
                raise BadField(wrong.code, wrong.message, form.wire_name(wrong.target)) from wrong

        return run

    def _enter_order(self, body: Body) -> Answer:
        return self._order(self._documents.create(body, body["lines"], released=True))

    def _cancel_order(self, body: Body) -> Answer:
        document = self._find("orders", "externalDocumentNumber", body.get("externalDocumentNumber"))
        self._documents.cancel(document)
        return self._order(document)

    def _change_order(self, body: Body) -> Answer:
        document = self._find("orders", "orderId", body.get("orderId"))
        change_lines(self._store, document, body, None, self._clock.now())
        return self._order(document)

    def _allocate(self, body: Body) -> Answer:
        document = self._find("orders", "orderId", body.get("orderId"))
        made = allocate(self._store, document, read_key(body), self._clock.now())
        self._due.wake()
        return Answer([render(ALLOCATION, entry) for entry in made])

    def _deallocate(self, body: Body) -> Answer:
        document = self._find("orders", "orderId", body.get("orderId"))
        deallocate(self._store, document, read_key(body), self._clock.now())
        return Answer()

    def _order(self, document: str) -> Answer:
        rows = self._store.query("SELECT * FROM orders WHERE id = ?", (document,))
        return Answer(show(self._store, "orders", rows))

    def _enter_customer(self, body: Body) -> Answer:
        made = self._cards.create(body)
        rows = self._store.query("SELECT * FROM customers WHERE id = ?", (made,))
        return Answer(show(self._store, "customers", rows))

    def _change_customer(self, body: Body) -> Answer:
        card = self._find("customers", "crossdockId", body.get("crossdockId"))
        changed = {name: value for name, value in body.items() if name not in ("crossdockId", "noLimit")}
        if body.get("noLimit"):
            changed["creditLimit"] = None
        self._cards.change(card, changed, None)
        return Answer()

    def _enter_price(self, body: Body) -> Answer:
        self._prices.create(body)
        return Answer()

    def _change_price(self, body: Body) -> Answer:
        row = self._find("prices", "number", body.get("number"))
        self._prices.change(row, {name: body[name] for name in CHANGEABLE if name in body}, None)
        return Answer()

    def _remove_price(self, body: Body) -> Answer:
        self._prices.remove(self._find("prices", "number", body.get("number")), None)
        return Answer()

    def _merge(self, action: str, body: Body) -> Answer:
        self._merges.act(self._find("customers", "crossdockId", body.get("duplicateId")), action, body)
        return Answer()

    def _correct(self, action: str, body: Body) -> Answer:
        invoice = self._find("posted_invoices", "number", body.get("number"))
        made = self._corrections.act(invoice, action, body)
        return Answer() if made is None else Answer([{"DOCNO": made["number"].ljust(20)}])

    def _enter_return(self, body: Body) -> Answer:
        return self._return(self._returns.create(body))

    def _on_return(self, action: str, body: Body) -> Answer:
        found = self._find("returns", "number", body.get("number"))
        self._returns.act(found, action, body)
        return self._return(found)

    def _return(self, number: str) -> Answer:
        return Answer(show(self._store, "returns", self._store.query("SELECT * FROM returns WHERE id = ?", (number,))))

    def _find(self, table: str, column: str, key: object) -> str:
        """Return the books' id of a row.

        Raises:
            Refusal: there is none under this key.
        """
        row = self._store.one(f"SELECT id FROM {table} WHERE {column} = ?", (key,))  # noqa: S608 - names are ours
        if row is None:
            raise Refusal(404, ErpError.NO_RECORD, f"There is no record of {key}")
        return str(row["id"])
