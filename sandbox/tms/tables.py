"""Tables of the transport system. Times are ISO 8601 in UTC with milliseconds, so that texts sort like times."""

from __future__ import annotations

__all__ = ["SCHEMA"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS places (code TEXT PRIMARY KEY, city TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS loads (
    shipment TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, external_key TEXT NOT NULL UNIQUE,
    tracking TEXT NOT NULL UNIQUE, carrier TEXT NOT NULL, order_ref TEXT NOT NULL, account_ref TEXT NOT NULL,
    origin TEXT NOT NULL, destination TEXT NOT NULL,
    ready_at TEXT NOT NULL, deliver_by TEXT, eta TEXT, delivered_at TEXT, status_code TEXT,
    sequence INTEGER NOT NULL, changed_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS milestones (
    shipment TEXT NOT NULL, sequence INTEGER NOT NULL, code TEXT NOT NULL, reason TEXT, place TEXT, at TEXT NOT NULL,
    PRIMARY KEY (shipment, sequence), UNIQUE (shipment, code, at)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plan (
    shipment TEXT NOT NULL, code TEXT NOT NULL, reason TEXT, place TEXT, at TEXT NOT NULL,
    PRIMARY KEY (shipment, code)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS plan_at ON plan (at);
"""
