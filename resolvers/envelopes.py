"""What requests carry besides their matter, and what every domain says alike when one cannot be answered."""

from __future__ import annotations

import math
from collections.abc import Iterable

from schema.records.problems import DependencyUnavailable, ValidationFailed
from systems.errors import ConnectorError, RateLimited, Unavailable

__all__ = ["MAX_KEY_LENGTH", "MAX_NAME_LENGTH", "broken_rule", "check_key", "check_names", "unavailable"]

MAX_KEY_LENGTH = 200
"""Characters of a client's idempotency key."""

MAX_NAME_LENGTH = 80
"""Characters of an id or a number by which something is found, as the ledgers have room for."""


def check_key(key: str) -> Iterable[ValidationFailed]:
    """Check that a client's idempotency key can be kept."""
    if not key.strip():
        said = "an idempotency key is missing: send one of your own per request, and the same one when you repeat it"
        yield broken_rule("IDEMPOTENCY_KEY", said, "idempotencyKey")
    elif len(key) > MAX_KEY_LENGTH or not key.isprintable():
        said = f"an idempotency key has at most {MAX_KEY_LENGTH} printable characters"
        yield broken_rule("IDEMPOTENCY_KEY", said, "idempotencyKey")


def check_names(**names: str | None) -> Iterable[ValidationFailed]:
    """Check that ids and numbers, by the name of their field, are no longer than any can be.

    The ledgers have no room for longer ones, so that not even a refused request could be kept.
    """
    for field, value in names.items():
        if value is not None and len(value) > MAX_NAME_LENGTH:
            said = f"{field} has {len(value)} characters: none has more than {MAX_NAME_LENGTH}"
            yield broken_rule("TEXT_LENGTH", said, field)


def broken_rule(rule: str, message: str, *path: str) -> ValidationFailed:
    """Return a broken rule; the last part of the path is the field."""
    return ValidationFailed(code="VALIDATION_FAILED", message=message, path=path, rule=rule, field=path[-1])


def unavailable(error: ConnectorError, consequence: str) -> DependencyUnavailable:
    """Return a system's failure as a problem; ``consequence`` says what did not happen and what to do."""
    after = error.retry_after_s if isinstance(error, RateLimited | Unavailable) else None
    return DependencyUnavailable(
        code="DEPENDENCY_UNAVAILABLE",
        message=f"{error.system.value} did not answer: {consequence}",
        retryable=error.retryable,
        system=error.system,
        retry_after_seconds=None if after is None else math.ceil(after),
    )
