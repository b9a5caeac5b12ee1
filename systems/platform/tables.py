"""Tables of the platform's ledgers: what is searched by is a column, the whole record is a document beside it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, MetaData, String, Table, UniqueConstraint

from systems.platform.columns import AwareTime, ExactQuantity, counter, document

__all__ = [
    "account_merge_claims",
    "account_merges",
    "dead_letters",
    "exception_tasks",
    "feed_cursors",
    "idempotency_keys",
    "ledger_orders",
    "ledger_returns",
    "line_places",
    "metadata",
    "number_sequences",
    "onboarding_marks",
    "onboardings",
    "order_warehouses",
    "process_steps",
    "processes",
    "quotes",
    "reservation_balances",
    "reservation_requests",
    "reservations",
    "stock_positions",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

number_sequences = Table(
    "number_sequences",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("last_value", Integer, nullable=False),
)

ledger_orders = Table(
    "ledger_orders",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("number", String(40), nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("account_id", String(80), nullable=False),
    Column("po_number", String(200)),
    Column("status", String(20), nullable=False),
    Column("submitted_at", AwareTime, nullable=False),
    Column("erp_number", String(80)),
    Column("record", document(), nullable=False),
    Column("may_have_exceptions", Boolean, nullable=False),
    Index(None, "account_id", "may_have_exceptions", "submitted_at"),
    Index(None, "may_have_exceptions", "submitted_at"),
    Index(None, "account_id", "submitted_at"),
    Index(None, "account_id", "po_number"),
    Index(None, "submitted_at"),
)

order_warehouses = Table(
    "order_warehouses",
    metadata,
    Column("order_id", String(80), primary_key=True),
    Column("warehouse_code", String(40), primary_key=True),
)

ledger_returns = Table(
    "ledger_returns",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("process_id", String(200), nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("order_id", String(80), nullable=False),
    Column("account_id", String(80), nullable=False),
    Column("status", String(20), nullable=False),
    Column("requested_at", AwareTime, nullable=False),
    Column("record", document(), nullable=False),
    Column("turn", Integer),
    Index(None, "order_id", "requested_at"),
    Index(None, "account_id", "requested_at"),
    Index("uq_ledger_returns_order_id_turn", "order_id", "turn", unique=True),
)

feed_cursors = Table(
    "feed_cursors",
    metadata,
    Column("feed", String(80), primary_key=True),
    Column("entry", BigInteger, nullable=False),
)

quotes = Table(
    "quotes",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("number", String(40), nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("account_id", String(80), nullable=False),
    Column("opportunity_id", String(80)),
    Column("status", String(20), nullable=False),
    Column("valid_until", Date, nullable=False),
    Column("created_at", AwareTime, nullable=False),
    Column("record", document(), nullable=False),
    Index(None, "account_id", "created_at"),
    Index(None, "opportunity_id"),
    Index(None, "status", "valid_until"),
)

onboardings = Table(
    "onboardings",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("status", String(20), nullable=False),
    Column("submitted_at", AwareTime, nullable=False),
    Column("record", document(), nullable=False),
    Index(None, "status", "submitted_at"),
    Index(None, "submitted_at"),
)

onboarding_marks = Table(
    "onboarding_marks",
    metadata,
    Column("mark", String(400), primary_key=True),
    Column("onboarding_id", String(80), nullable=False),
    Index(None, "onboarding_id"),
)

account_merges = Table(
    "account_merges",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("status", String(20), nullable=False),
    Column("duplicate_id", String(80), nullable=False),
    Column("survivor_id", String(80), nullable=False),
    Column("began_at", AwareTime, nullable=False),
    Column("record", document(), nullable=False),
    Index(None, "duplicate_id"),
    Index(None, "survivor_id", "began_at"),
)

account_merge_claims = Table(
    "account_merge_claims",
    metadata,
    Column("account_id", String(80), primary_key=True),
    Column("merge_id", String(200), nullable=False),
    Index(None, "merge_id"),
)

reservation_requests = Table(
    "reservation_requests",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("requested_at", AwareTime, nullable=False),
)

reservation_balances = Table(
    "reservation_balances",
    metadata,
    Column("sku", String(80), primary_key=True),
    Column("warehouse_code", String(40), primary_key=True),
    Column("held", ExactQuantity, nullable=False),
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", String(260), primary_key=True),
    Column("key", String(200), nullable=False),
    Column("line_no", Integer, nullable=False),
    Column("account_id", String(80), nullable=False),
    Column("sku", String(80), nullable=False),
    Column("warehouse_code", String(40), nullable=False),
    Column("quantity", ExactQuantity, nullable=False),
    Column("uom", String(10), nullable=False),
    Column("status", String(20), nullable=False),
    Column("expires_at", AwareTime, nullable=False),
    Index(None, "key"),
    Index(None, "sku", "status"),
    Index(None, "status", "expires_at"),
)

exception_tasks = Table(
    "exception_tasks",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("queue", String(40), nullable=False),
    Column("kind", String(80), nullable=False),
    Column("state", String(20), nullable=False),
    Column("order_id", String(80)),
    Column("account_id", String(80)),
    Column("warehouse_code", String(40)),
    Column("due_at", AwareTime, nullable=False),
    Column("closed_at", AwareTime),
    Column("record", document(), nullable=False),
    Index(None, "queue", "state", "due_at"),
    Index(None, "order_id"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", String(300), primary_key=True),
    Column("key", String(300), primary_key=True),
    Column("payload_hash", String(128), nullable=False),
    Column("process_id", String(200), nullable=False),
    Column("claimed_at", AwareTime, nullable=False),
    Index(None, "claimed_at"),
)

processes = Table(
    "processes",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("business_key", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("started_at", AwareTime, nullable=False),
    Column("ended_at", AwareTime),
    Column("record", document(), nullable=False),
    Index(None, "business_key", "started_at"),
    Index(None, "state"),
)

process_steps = Table(
    "process_steps",
    metadata,
    Column("position", counter(), primary_key=True),
    Column("process_id", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("record", document(), nullable=False),
    UniqueConstraint("process_id", "name"),
)

line_places = Table(
    "line_places",
    metadata,
    Column("process_id", String(200), primary_key=True),
    Column("system", String(20), nullable=False),
    Column("account_id", String(80), nullable=False),
    Column("step", String(200), nullable=False),
    Column("order_id", String(80)),
    Column("since", AwareTime, nullable=False),
    Column("joined_at", AwareTime, nullable=False),
    Column("aside", Boolean, nullable=False),
    Index(None, "system", "account_id", "since", "process_id"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", String(300), primary_key=True),
    Column("source", String(20), nullable=False),
    Column("type", String(200), nullable=False),
    Column("reason", String(2000), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_seen", AwareTime, nullable=False),
    Column("payload", document()),
    Column("order_id", String(80)),
    Index(None, "source", "first_seen"),
    Index(None, "first_seen"),
)

stock_positions = Table(
    "stock_positions",
    metadata,
    Column("sku", String(80), primary_key=True),
    Column("warehouse_code", String(40), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("read_at", AwareTime, nullable=False),
    Column("is_told", Boolean, nullable=False),
    Column("record", document(), nullable=False),
    Column("previous", document()),
    Index(None, "is_told"),
)
