"""What every mutation carries besides its matter: the client's idempotency key."""

from __future__ import annotations

from collections.abc import Iterable

from schema.records.problems import ValidationFailed

__all__ = ["MAX_KEY_LENGTH", "broken_rule", "check_key"]

MAX_KEY_LENGTH = 200
"""Characters of a client's idempotency key."""


def check_key(key: str) -> Iterable[ValidationFailed]:
    """Check that a client's idempotency key can be kept."""
    if not key.strip():
        said = "an idempotency key is missing: send one of your own per request, and the same one when you repeat it"
        yield broken_rule("IDEMPOTENCY_KEY", said, "idempotencyKey")
    elif len(key) > MAX_KEY_LENGTH or not key.isprintable():
        said = f"an idempotency key has at most {MAX_KEY_LENGTH} printable characters"
        yield broken_rule("IDEMPOTENCY_KEY", said, "idempotencyKey")


def broken_rule(rule: str, message: str, *path: str) -> ValidationFailed:
    """Return a broken rule; the last part of the path is the field."""
    return ValidationFailed(code="VALIDATION_FAILED", message=message, path=path, rule=rule, field=path[-1])
