"""Price tokens: a price that was offered, signed so that it can come back unchanged.

Form: ``ptk_`` and base64url of the claims, a dot, base64url of their HMAC-SHA256. The claims are readable for whoever
holds the token (they are the price that was shown); only the signature is a secret's work. Verifying never trusts a
claim before the signature is compared, in constant time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from schema.enums import PriceSource
from schema.records.values import Money

__all__ = ["TOKEN_LIFETIME", "PriceClaims", "TokenFault", "TokenSigner"]

TOKEN_LIFETIME = timedelta(minutes=15)
"""How long an offered price holds; a quote's price holds until the quote ends."""

MIN_KEY_BYTES = 32
"""Shorter keys are guessable where SHA-256 is not."""

MAX_TOKEN_LENGTH = 2_048
"""Characters of a token; ours have about 350, so longer text is not worth decoding."""

_PREFIX = "ptk_"


class TokenFault(StrEnum):
    """Why a token is not worth its price."""

    MALFORMED = "MALFORMED"
    BAD_SIGNATURE = "BAD_SIGNATURE"


@dataclass(frozen=True, slots=True)
class PriceClaims:
    """What a token says: ``unit`` for one ``uom``, for base quantities from ``min_quantity`` up to ``below``.

    ``below`` None means that the price has no upper bound; equal bounds mean that very quantity.
    """

    account_id: str
    sku: str
    uom: str
    unit: Money
    min_quantity: Decimal
    below: Decimal | None
    source: PriceSource
    rule_id: str | None
    expires_at: datetime

    def covers(self, base_quantity: Decimal) -> bool:
        """Return whether the price was offered for this many base units."""
        if self.below is not None and self.below == self.min_quantity:
            return base_quantity == self.min_quantity
        return base_quantity >= self.min_quantity and (self.below is None or base_quantity < self.below)


class TokenSigner:
    """Signs and verifies price tokens.

    Args:
        keys: the first signs, all verify, so that a key can be replaced while tokens of the old one live.

    Raises:
        ValueError: no key, or one shorter than ``MIN_KEY_BYTES``.
    """

    def __init__(self, *keys: bytes) -> None:
        if not keys or any(len(key) < MIN_KEY_BYTES for key in keys):
            raise ValueError(f"price tokens are signed with keys of at least {MIN_KEY_BYTES} bytes")
        self._keys: Sequence[bytes] = keys

    def sign(self, claims: PriceClaims) -> str:
        """Return the token of these claims; the same claims give the same token."""
        payload = json.dumps(_to_json(claims), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
        return f"{_PREFIX}{_encode(payload)}.{_encode(_mac(self._keys[0], payload))}"

    def verify(self, token: str) -> PriceClaims | TokenFault:
        """Return what an authentic token says, expired or not, else what is wrong with it."""
        parts = token.removeprefix(_PREFIX).split(".")
        if len(token) > MAX_TOKEN_LENGTH or not token.startswith(_PREFIX) or len(parts) != 2:
            return TokenFault.MALFORMED
        payload, signature = _decode(parts[0]), _decode(parts[1])
        if payload is None or signature is None:
            return TokenFault.MALFORMED
        genuine = [hmac.compare_digest(_mac(key, payload), signature) for key in self._keys]
        if not any(genuine):
            return TokenFault.BAD_SIGNATURE
        try:
            return _from_json(json.loads(payload))
        except (ValueError, KeyError, TypeError, InvalidOperation):
            # Signed by us and still unreadable: written by a version with other claims.
            return TokenFault.MALFORMED


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.new(key, payload, hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes | None:
    """Return the bytes of canonical base64url; text that other text stands for too is not accepted."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if _encode(data) == text else None


def _to_json(claims: PriceClaims) -> dict[str, Any]:
    return {
        "acc": claims.account_id,
        "sku": claims.sku,
        "uom": claims.uom,
        "unit": str(claims.unit.amount),
        "cur": claims.unit.currency,
        "min": str(claims.min_quantity),
        "below": None if claims.below is None else str(claims.below),
        "src": claims.source.value,
        "rule": claims.rule_id,
        "exp": claims.expires_at.astimezone(UTC).isoformat(),
    }


def _from_json(found: dict[str, Any]) -> PriceClaims:
    return PriceClaims(
        account_id=str(found["acc"]),
        sku=str(found["sku"]),
        uom=str(found["uom"]),
        unit=Money(Decimal(found["unit"]), str(found["cur"])),
        min_quantity=Decimal(found["min"]),
        below=None if found["below"] is None else Decimal(found["below"]),
        source=PriceSource(found["src"]),
        rule_id=found["rule"],
        expires_at=datetime.fromisoformat(found["exp"]),
    )
