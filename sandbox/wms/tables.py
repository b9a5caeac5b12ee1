"""Tables of the warehouse system. Quantities are thousandths of the base unit, times ISO 8601 in UTC."""

from __future__ import annotations

__all__ = ["SCHEMA"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS warehouses (
    code TEXT PRIMARY KEY, name TEXT NOT NULL, line1 TEXT NOT NULL, city TEXT NOT NULL, region TEXT,
    postal_code TEXT NOT NULL, country TEXT NOT NULL, gln TEXT, time_zone TEXT NOT NULL, cutoff TEXT NOT NULL,
    status TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stock (
    sku TEXT NOT NULL, warehouse TEXT NOT NULL, uom TEXT NOT NULL, on_hand INTEGER NOT NULL,
    allocated INTEGER NOT NULL CHECK (allocated >= 0), blocked INTEGER NOT NULL CHECK (blocked >= 0),
    safety_stock INTEGER NOT NULL, sequence INTEGER NOT NULL, changed_at TEXT NOT NULL,
    PRIMARY KEY (sku, warehouse), CHECK (allocated + blocked <= on_hand)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS releases (
    external_key TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, shipment TEXT NOT NULL UNIQUE, content TEXT NOT NULL,
    state TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shipments (
    number TEXT PRIMARY KEY, order_ref TEXT NOT NULL, account_ref TEXT NOT NULL, warehouse TEXT NOT NULL,
    status TEXT NOT NULL, sscc TEXT NOT NULL, planned_delivery TEXT, changed_at TEXT NOT NULL,
    sequence INTEGER NOT NULL, next_step TEXT, next_at TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS shipments_order ON shipments (order_ref);
CREATE INDEX IF NOT EXISTS shipments_next ON shipments (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS shipment_lines (
    shipment TEXT NOT NULL, line_no INTEGER NOT NULL, sku TEXT NOT NULL, requested INTEGER NOT NULL,
    quantity INTEGER NOT NULL, uom TEXT NOT NULL, lot TEXT,
    PRIMARY KEY (shipment, line_no)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS receipts (
    external_key TEXT PRIMARY KEY, rma TEXT NOT NULL, order_ref TEXT NOT NULL, account_ref TEXT NOT NULL,
    warehouse TEXT NOT NULL, content TEXT NOT NULL, lines TEXT NOT NULL, state TEXT NOT NULL,
    sequence INTEGER NOT NULL, next_at TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS receipts_next ON receipts (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS milestones (
    shipment TEXT NOT NULL, sequence INTEGER NOT NULL, code TEXT NOT NULL, status TEXT NOT NULL, at TEXT NOT NULL,
    place TEXT,
    PRIMARY KEY (shipment, sequence)
) WITHOUT ROWID;
"""
