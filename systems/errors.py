"""What can go wrong with a system of record, the same seven kinds for every vendor.

::

    ConnectorError
    ├── AuthFailed      our credentials are refused
    ├── RateLimited     asked to wait ``retry_after_s``
    ├── NotFound        the record does not exist
    ├── Conflict        the record changed, or exists already
    ├── Rejected        the system understood and refuses (``fields`` says what); never retried blindly
    ├── Unavailable     no usable answer; ``outcome_unknown`` when the request may have been carried out
    │   └── PartlyAnswered   one of several systems behind a bulk read gave none; ``found`` is what the others said
    └── Unexpected      the answer breaks the protocol
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from schema.enums import SourceSystem

__all__ = [
    "AuthFailed",
    "Conflict",
    "ConnectorError",
    "ConnectorErrorCode",
    "NotFound",
    "PartlyAnswered",
    "RateLimited",
    "Rejected",
    "Unavailable",
    "Unexpected",
]


class ConnectorErrorCode(StrEnum):
    """Stable codes of connector failures."""

    SYSTEM_AUTH_FAILED = "SYSTEM_AUTH_FAILED"
    SYSTEM_RATE_LIMITED = "SYSTEM_RATE_LIMITED"
    SYSTEM_NOT_FOUND = "SYSTEM_NOT_FOUND"
    SYSTEM_CONFLICT = "SYSTEM_CONFLICT"
    SYSTEM_REJECTED = "SYSTEM_REJECTED"
    SYSTEM_UNAVAILABLE = "SYSTEM_UNAVAILABLE"
    SYSTEM_UNEXPECTED = "SYSTEM_UNEXPECTED"


class ConnectorError(Exception):
    """Root of connector failures.

    Attributes:
        system: which system.
        operation: what was asked of it, for example ``create order``.
        retryable: whether the same call can succeed without being changed.
    """

    code = ConnectorErrorCode.SYSTEM_UNEXPECTED
    retryable = False

    def __init__(self, system: SourceSystem, operation: str, message: str) -> None:
        super().__init__(f"{system} {operation}: {message}")
        self.system = system
        self.operation = operation
        self.detail = message


class AuthFailed(ConnectorError):
    """Our credentials are refused; an operator must renew them."""

    code = ConnectorErrorCode.SYSTEM_AUTH_FAILED


class RateLimited(ConnectorError):
    """The system asks to wait ``retry_after_s`` seconds."""

    code = ConnectorErrorCode.SYSTEM_RATE_LIMITED
    retryable = True

    def __init__(self, system: SourceSystem, operation: str, message: str, retry_after_s: float) -> None:
        super().__init__(system, operation, message)
        self.retry_after_s = retry_after_s


class NotFound(ConnectorError):
    """The record does not exist in that system."""

    code = ConnectorErrorCode.SYSTEM_NOT_FOUND


class Conflict(ConnectorError):
    """The record changed since it was read, or exists already."""

    code = ConnectorErrorCode.SYSTEM_CONFLICT


class Rejected(ConnectorError):
    """The system understood and refuses; ``reason`` is its own code, ``fields`` what it complains about."""

    code = ConnectorErrorCode.SYSTEM_REJECTED

    def __init__(
        self, system: SourceSystem, operation: str, message: str, *, reason: str, fields: tuple[str, ...] = ()
    ) -> None:
        super().__init__(system, operation, message)
        self.reason = reason
        self.fields = fields


class Unavailable(ConnectorError):
    """No usable answer. ``outcome_unknown`` is True when the request may have been carried out: look before sending."""

    code = ConnectorErrorCode.SYSTEM_UNAVAILABLE
    retryable = True

    def __init__(
        self,
        system: SourceSystem,
        operation: str,
        message: str,
        *,
        outcome_unknown: bool,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(system, operation, message)
        self.outcome_unknown = outcome_unknown
        self.retry_after_s = retry_after_s


class PartlyAnswered(Unavailable):
    """Some of the systems behind a bulk read gave no answer; who cannot use a part has a failure like any other.

    Attributes:
        found: what the others said, by key.
        failures: what kept which keys from being answered, or answered whole.
        systems: the systems that gave no answer.
    """

    def __init__(
        self,
        operation: str,
        found: Mapping[str, Any],
        failures: Mapping[str, ConnectorError],
        silent: Mapping[SourceSystem, ConnectorError],
    ) -> None:
        first = next(iter(silent.values()))
        said = "; ".join(str(error) for error in silent.values())
        super().__init__(first.system, operation, f"a part is not answered: {said}", outcome_unknown=False)
        self.found = found
        self.failures = failures
        self.systems = frozenset(silent)


class Unexpected(ConnectorError):
    """The answer breaks the protocol (HTML, wrong shape, unknown status); never interpreted."""

    code = ConnectorErrorCode.SYSTEM_UNEXPECTED
