"""The journal: what was written, in the order of writing; whoever follows reads on from where he stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.kit.store import Store
from sandbox.legacy_erp.inquiry import Answer, read_number

__all__ = ["SCHEMA", "begin", "delta"]

MAX_ENTRIES = 200
"""Entries of one answer."""

MAX_SEQUENCE = 10**12

_OBJECTS = {
    "CU": ("customers", "crossdockId", ("INSERT", "UPDATE")),
    "OR": ("orders", "orderId", ("INSERT", "UPDATE")),
    "IV": ("invoice_postings", "invoiceNumber", ("INSERT",)),
    "PR": ("price_changes", "entryNo", ("INSERT",)),
    "RM": ("returns", "number", ("INSERT", "UPDATE")),
}
"""Objects by code: the table, the column of the key that other systems know, and which writes are told."""

_OPERATIONS = {"INSERT": "AD", "UPDATE": "CH"}


def _triggers() -> str:
    return "".join(
        f"CREATE TRIGGER IF NOT EXISTS journal_{code}_{_OPERATIONS[write]} AFTER {write} ON {table} "  # noqa: S608 - names are ours
        f"WHEN NEW.{key} IS NOT NULL BEGIN "
        f"INSERT INTO journal (object, operation, key) VALUES ('{code}', '{_OPERATIONS[write]}', NEW.{key}); END;\n"
        for code, (table, key, writes) in _OBJECTS.items()
        for write in writes
    )


SCHEMA = f"""
CREATE TABLE IF NOT EXISTS journal (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT NOT NULL, operation TEXT NOT NULL, key TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS journal_object ON journal (object, sequence);
{_triggers()}"""


def begin(store: Store) -> None:
    """Begin the journal anew: what there was at the start is no news."""
    store.execute("DELETE FROM journal")
    store.execute("DELETE FROM sqlite_sequence WHERE name = 'journal'")


def delta(store: Store, body: Mapping[str, Any]) -> Answer:
    """Return entries after a sequence number, the earliest first, of one kind of object or all."""
    kind = str(body.get("OBJCD", "")).rstrip()
    rows = store.query(
        "SELECT * FROM journal WHERE sequence > ? AND (? = '' OR object = ?) ORDER BY sequence LIMIT ?",
        (read_number(body, "AFTER", MAX_SEQUENCE, 0), kind, kind, read_number(body, "LIMIT", MAX_ENTRIES, 1)),
    )
    return Answer(
        [
            {"SEQNO": row["sequence"], "OBJCD": row["object"], "OPRCD": row["operation"], "KEY": row["key"].ljust(80)}
            for row in rows
        ]
    )
