"""Tables of the ERP. Decimals are texts, so that no amount is ever a float; times are texts that sort like times."""

from __future__ import annotations

__all__ = ["SCHEMA"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS companies (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, displayName TEXT NOT NULL, currencyCode TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS customers (
    id TEXT PRIMARY KEY, number TEXT UNIQUE, crossdockId TEXT UNIQUE, displayName TEXT, addressLine1 TEXT, city TEXT,
    state TEXT, country TEXT, postalCode TEXT, currencyCode TEXT NOT NULL, paymentTermsCode TEXT,
    customerPriceGroup TEXT, blocked TEXT NOT NULL, creditLimit TEXT, openReceivables TEXT NOT NULL,
    overdue TEXT NOT NULL, maxDaysPastDue INTEGER NOT NULL, creditTolerancePercent INTEGER NOT NULL,
    onHold INTEGER NOT NULL, holdReason TEXT, taxRegistrations TEXT NOT NULL, taxNumbers TEXT NOT NULL,
    lastModifiedDateTime TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE IF NOT EXISTS ship_tos (
    id TEXT PRIMARY KEY, crossdockId TEXT UNIQUE, accountId TEXT NOT NULL, code TEXT NOT NULL, line1 TEXT, city TEXT,
    state TEXT, postalCode TEXT, country TEXT, gln TEXT, taxJurisdiction TEXT, deliveryDays TEXT NOT NULL,
    active INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS ship_tos_account ON ship_tos (accountId);
CREATE TABLE IF NOT EXISTS locations (id TEXT PRIMARY KEY, code TEXT UNIQUE, displayName TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS categories (
    id TEXT PRIMARY KEY, crossdockId TEXT UNIQUE, code TEXT UNIQUE, displayName TEXT NOT NULL, parentCrossdockId TEXT
);
CREATE TABLE IF NOT EXISTS items (
    id TEXT PRIMARY KEY, number TEXT UNIQUE, displayName TEXT NOT NULL, searchName TEXT NOT NULL, description TEXT,
    brand TEXT, itemCategoryCode TEXT, status TEXT NOT NULL, baseUnitOfMeasureCode TEXT NOT NULL, gtin TEXT,
    gtins TEXT NOT NULL, hazmatClass TEXT, taxCategory TEXT, unitPrice TEXT, unitCost TEXT NOT NULL,
    floorMarginPercent TEXT NOT NULL, minimumQuantity TEXT NOT NULL, orderMultiple TEXT NOT NULL, netWeight TEXT,
    lotControlled INTEGER NOT NULL, units TEXT NOT NULL, substitutes TEXT NOT NULL, restrictedRegions TEXT NOT NULL,
    inventory TEXT NOT NULL, blocked INTEGER NOT NULL, lastModifiedDateTime TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS item_variants (id TEXT PRIMARY KEY, itemNumber TEXT, code TEXT, description TEXT);
CREATE TABLE IF NOT EXISTS prices (
    id TEXT PRIMARY KEY, number TEXT NOT NULL, level TEXT NOT NULL, currencyCode TEXT NOT NULL, accountId TEXT,
    priceGroup TEXT, itemNumber TEXT, categoryCode TEXT, brand TEXT, unitPrice TEXT, discountPercent TEXT,
    breaks TEXT NOT NULL, startingDate TEXT NOT NULL, endingDate TEXT, priority INTEGER NOT NULL,
    inheritToChildren INTEGER NOT NULL, exclusive INTEGER NOT NULL, combinable INTEGER NOT NULL,
    graduated INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX IF NOT EXISTS prices_item ON prices (itemNumber);
CREATE INDEX IF NOT EXISTS prices_account ON prices (accountId, level);
CREATE INDEX IF NOT EXISTS prices_number ON prices (number);
CREATE TABLE IF NOT EXISTS price_changes (
    entryNo INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, number TEXT, changedAt TEXT NOT NULL,
    before TEXT NOT NULL, after TEXT NOT NULL, accountId TEXT, groupBefore TEXT, groupAfter TEXT
);
CREATE TABLE IF NOT EXISTS exchange_rates (
    id TEXT PRIMARY KEY, fromCurrency TEXT NOT NULL, toCurrency TEXT NOT NULL, startingDate TEXT NOT NULL,
    rate TEXT NOT NULL, UNIQUE (fromCurrency, toCurrency, startingDate)
);
CREATE TABLE IF NOT EXISTS supplies (
    id TEXT PRIMARY KEY, number TEXT NOT NULL, itemNumber TEXT NOT NULL, locationCode TEXT NOT NULL, kind TEXT NOT NULL,
    quantity TEXT NOT NULL, expectedDate TEXT NOT NULL, confirmed INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS supplies_item ON supplies (itemNumber);
CREATE TABLE IF NOT EXISTS stock (
    sku TEXT, location TEXT, free INTEGER NOT NULL CHECK (free >= 0), PRIMARY KEY (sku, location)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE, externalDocumentNumber TEXT UNIQUE, orderId TEXT UNIQUE,
    accountId TEXT NOT NULL, customerNumber TEXT NOT NULL, shipToId TEXT, poNumber TEXT, channel TEXT,
    status TEXT NOT NULL, currencyCode TEXT NOT NULL, totalAmountExcludingTax TEXT NOT NULL,
    totalTaxAmount TEXT NOT NULL, freight TEXT NOT NULL, totalAmountIncludingTax TEXT NOT NULL,
    requestedDeliveryDate TEXT, promisedDeliveryDate TEXT, submittedAt TEXT NOT NULL, acceptedAt TEXT,
    completedAt TEXT, opportunityId TEXT, quoteId TEXT, lastModifiedDateTime TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX IF NOT EXISTS orders_account ON orders (accountId, submittedAt, orderId);
CREATE INDEX IF NOT EXISTS orders_submitted ON orders (submittedAt, orderId);
CREATE TABLE IF NOT EXISTS order_lines (
    id TEXT PRIMARY KEY, documentId TEXT NOT NULL, sequence INTEGER NOT NULL, lineObjectNumber TEXT NOT NULL,
    description TEXT, unitOfMeasureCode TEXT NOT NULL, quantity TEXT NOT NULL, unitPrice TEXT NOT NULL,
    netAmount TEXT NOT NULL, locationCode TEXT, allocated TEXT NOT NULL, backordered TEXT NOT NULL,
    shipped TEXT NOT NULL, invoiced TEXT NOT NULL, cancelled TEXT NOT NULL, promisedDeliveryDate TEXT, shipDate TEXT,
    UNIQUE (documentId, sequence)
);
CREATE TABLE IF NOT EXISTS allocations (
    key TEXT PRIMARY KEY, documentId TEXT NOT NULL, result TEXT NOT NULL, next TEXT, nextAt TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS allocations_next ON allocations (nextAt);
CREATE TABLE IF NOT EXISTS order_changes (key TEXT PRIMARY KEY, documentId TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS posted_shipments (
    id TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE, externalDocumentNumber TEXT, orderNumber TEXT,
    customerNumber TEXT NOT NULL, shipmentDate TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS invoices (
    id TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE, accountId TEXT NOT NULL, orderId TEXT, orderNumber TEXT,
    customerNumber TEXT NOT NULL, externalDocumentNumber TEXT, status TEXT NOT NULL, postedAt TEXT, invoiceDate TEXT,
    dueDate TEXT, currencyCode TEXT NOT NULL, totalAmountIncludingTax TEXT NOT NULL, remainingAmount TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS invoices_account ON invoices (accountId, postedAt, number);
CREATE INDEX IF NOT EXISTS invoices_order ON invoices (orderId);
CREATE TABLE IF NOT EXISTS number_ranges (name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS invoice_postings (
    entryNo INTEGER PRIMARY KEY AUTOINCREMENT, invoiceNumber TEXT NOT NULL UNIQUE, taxAmount TEXT NOT NULL,
    freight TEXT NOT NULL, lines TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS credit_memos (
    key TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE, invoiceNumber TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rebillings (
    id TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, invoiceNumber TEXT NOT NULL
) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS posted_invoices AS
    SELECT i.*, p.entryNo, p.taxAmount, p.freight, p.lines
    FROM invoice_postings p JOIN invoices i ON i.number = p.invoiceNumber;
CREATE TABLE IF NOT EXISTS returns (
    id TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE, accountId TEXT NOT NULL, orderId TEXT NOT NULL,
    status TEXT NOT NULL, currencyCode TEXT NOT NULL, creditAmount TEXT, lines TEXT NOT NULL, createdAt TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS return_keys (key TEXT PRIMARY KEY, returnId TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS customer_merges (
    key TEXT PRIMARY KEY, duplicateId TEXT NOT NULL, survivorId TEXT NOT NULL, moved TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS returns_account ON returns (accountId);
CREATE INDEX IF NOT EXISTS returns_order ON returns (orderId);
CREATE VIEW IF NOT EXISTS open_order_values AS
    SELECT c.id, c.crossdockId AS accountId, c.currencyCode, round(coalesce(sum(
        (l.quantity - l.cancelled - l.invoiced) * l.unitPrice
        * CASE WHEN o.currencyCode = c.currencyCode THEN 1 ELSE (
            SELECT r.rate FROM exchange_rates r
            WHERE r.fromCurrency = o.currencyCode AND r.toCurrency = c.currencyCode
            ORDER BY r.startingDate DESC LIMIT 1
        ) END), 0), 2) AS amount
    FROM customers c
    LEFT JOIN orders o ON o.accountId = c.crossdockId AND o.status IN ('Draft', 'In Review', 'Open')
    LEFT JOIN order_lines l ON l.documentId = o.id
    GROUP BY c.crossdockId, c.id, c.currencyCode;
"""
