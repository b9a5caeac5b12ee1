"""Tables of the transport system. Times are ISO 8601 in UTC."""

from __future__ import annotations

__all__ = ["SCHEMA"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS loads (
    id TEXT PRIMARY KEY, external_key TEXT NOT NULL UNIQUE, content TEXT NOT NULL, shipment TEXT NOT NULL,
    order_ref TEXT NOT NULL, account_ref TEXT NOT NULL, origin TEXT NOT NULL, destination TEXT NOT NULL,
    carrier TEXT NOT NULL, tracking_number TEXT NOT NULL UNIQUE, status TEXT NOT NULL, eta TEXT, delivered_at TEXT,
    sequence INTEGER NOT NULL, next_step TEXT, next_at TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS loads_shipment ON loads (shipment);
CREATE INDEX IF NOT EXISTS loads_next ON loads (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS milestones (
    load TEXT NOT NULL, sequence INTEGER NOT NULL, code TEXT NOT NULL, status TEXT NOT NULL, at TEXT NOT NULL,
    city TEXT, reason TEXT,
    PRIMARY KEY (load, sequence)
) WITHOUT ROWID;
"""
