"""Values of fields: what clients send, what is kept, what is shown.

Dates are kept as ``2026-03-05``, times as the CRM shows them, ``2026-03-05T16:00:00.000+0000``, so that texts sort by
time.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sandbox.crm.objects import Field, Kind

__all__ = ["day_text", "show", "time_text"]


def time_text(moment: datetime) -> str:
    """Return a time as it is kept and shown."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def day_text(text: str) -> str:
    """Return a date as it is kept.

    Raises:
        ValueError: the text is no date.
    """
    return date.fromisoformat(text).isoformat()


def show(field: Field, kept: Any) -> Any:
    """Return a kept value as JSON shows it."""
    return bool(kept) if field.kind is Kind.BOOLEAN and kept is not None else kept
