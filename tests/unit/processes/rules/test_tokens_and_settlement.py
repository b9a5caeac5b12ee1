"""Rule 6.1.9: signed prices, and what a line is charged at submission."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.rules import price
from processes.rules.tokens import TOKEN_LIFETIME, PriceClaims, TokenFault, TokenSigner
from schema.enums import PriceSource, PricingConflictReason
from schema.records.catalog import Price, PriceLevel
from schema.records.problems import PricingConflict
from schema.records.values import Money, Quantity
from tests.support.rule_records import FRESH, NOW, SIGNING_KEY, item, money, qty, query, rule, terms

SIGNER = TokenSigner(SIGNING_KEY)
OLD = rule("C", PriceLevel.CONTRACT, "36.10", account="acc_1")
NEW = rule("C", PriceLevel.CONTRACT, "37.40", account="acc_1")


def offered(contract: Any = OLD, quantity: Quantity | None = None, at: datetime = NOW, account: str = "acc_1") -> Price:
    found = price.evaluate(
        query(quantity or qty(24), account=account),
        item=item(),
        terms=terms(),
        ancestors=(),
        rules=[contract],
        fx=lambda base, quote: None,
        now=at,
        signer=SIGNER,
        freshness=FRESH,
    )
    assert isinstance(found, Price)
    return found


def settle(current: Price, *, expected: Money | None = None, token: str | None = None, **rest: Any) -> Any:
    rest = {"account_id": "acc_1", "base_quantity": Decimal(24), "signer": SIGNER, "now": NOW, **rest}
    return price.settle(expected, token, current, **rest)


def test_a_valid_token_wins_over_todays_price():
    charged = settle(offered(NEW), token=offered(OLD).token)
    assert (charged.unit, charged.extended) == (money("36.10"), money("866.40"))


def test_a_quote_lock_wins_over_everything():
    charged = settle(offered(NEW), token=offered(OLD).token, locked=money("30"))
    assert (charged.unit, charged.extended, charged.source) == (money("30"), money("720.00"), PriceSource.QUOTE_LOCK)


def test_an_expired_token_beyond_tolerance_names_both_amounts():
    old = offered(OLD, at=NOW - TOKEN_LIFETIME)
    found = settle(offered(NEW), token=old.token)
    assert isinstance(found, PricingConflict)
    assert (found.reason, found.expected, found.current) == (
        PricingConflictReason.TOKEN_EXPIRED,
        money("36.1000"),
        money("37.4000"),
    )


def test_a_token_holds_until_the_last_moment_of_its_life():
    old = offered(OLD, at=NOW - TOKEN_LIFETIME + timedelta(microseconds=1))
    assert settle(offered(NEW), token=old.token).unit == money("36.10")


def test_accepting_current_prices_takes_todays_price():
    old = offered(OLD, at=NOW - TOKEN_LIFETIME)
    assert settle(offered(NEW), token=old.token, accept_current=True).unit == money("37.40")


def test_a_price_that_was_locked_for_a_quote_lives_as_long_as_the_quote():
    locked = price.lock_until(offered(OLD).token, NOW + timedelta(days=30), SIGNER)
    assert settle(offered(NEW), token=locked, now=NOW + timedelta(days=29)).unit == money("36.10")


def test_a_foreign_token_cannot_be_locked():
    assert price.lock_until("ptk_old", NOW, SIGNER) is None


@pytest.mark.parametrize(
    ("shown", "now", "charged"),
    [
        pytest.param("36.10", "36.10", "36.10", id="no difference"),
        pytest.param("36.10", "36.28", "36.10", id="the shown price when it is the lower one"),
        pytest.param("36.28", "36.10", "36.10", id="todays price when it is the lower one"),
        pytest.param("36.10", "36.2805", "36.10", id="exactly half a percent"),
        pytest.param("36.10", "36.2806", None, id="a little more than half a percent"),
        pytest.param("37.40", "36.10", None, id="a price that fell far is told too"),
    ],
)
def test_small_differences_are_settled_for_the_customer(shown: str, now: str, charged: str | None):
    found = settle(offered(rule("C", PriceLevel.CONTRACT, now, account="acc_1")), expected=money(shown))
    assert (found.unit.amount if not isinstance(found, PricingConflict) else None) == (charged and Decimal(charged))


@pytest.mark.parametrize(
    ("pieces", "is_settled"),
    [pytest.param(50, True, id="5.00 on the line"), pytest.param(51, False, id="5.10 on the line")],
)
def test_a_small_difference_times_a_large_quantity_is_not_small(pieces: int, is_settled: bool):
    current = offered(rule("C", PriceLevel.CONTRACT, "36.20", account="acc_1"), qty(pieces))
    found = settle(current, expected=money("36.10"), base_quantity=Decimal(pieces))
    assert isinstance(found, price.Charge) is is_settled


def test_without_token_and_shown_price_todays_price_holds():
    assert settle(offered(NEW)).unit == money("37.40")


def test_a_price_shown_in_another_currency_is_a_conflict():
    found = settle(offered(NEW), expected=money("37.40", "EUR"))
    assert found.reason is PricingConflictReason.NO_PRICE_IN_CURRENCY


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("ptk_old", id="a text that was never a token"),
        pytest.param("", id="an empty text"),
        pytest.param("ptk_" + "x" * 5_000, id="an endless text"),
        pytest.param(
            TokenSigner(b"another key of thirty-two bytes!!").sign(SIGNER.verify(offered().token)), id="other key"
        ),  # type: ignore[arg-type]
        pytest.param(offered(account="acc_2", contract=rule("L", PriceLevel.LIST, "1")).token, id="another account's"),
        pytest.param(offered(quantity=qty(4, "XBX")).token, id="another unit's"),
    ],
)
def test_a_token_that_is_not_for_this_line_is_never_a_silent_charge(token: str):
    found = settle(offered(NEW), token=token)
    assert isinstance(found, PricingConflict)
    assert (found.expected, found.current) == (None, money("37.4000"))


def test_beside_a_foreign_token_the_shown_price_is_compared():
    assert settle(offered(NEW), token="ptk_old", expected=money("37.40")).unit == money("37.40")


def test_a_token_for_another_quantity_band_is_compared_and_not_honoured():
    contract = rule("C", PriceLevel.CONTRACT, account="acc_1", breaks=(("1", "37.40"), ("24", "36.10")))
    found = settle(offered(contract, qty(1)), token=offered(contract, qty(24)).token, base_quantity=Decimal(1))
    assert isinstance(found, PricingConflict)


@pytest.mark.parametrize(
    ("agreed", "erp", "is_conflict"),
    [
        pytest.param("36.10", "36.11", False, id="a cent is rounding"),
        pytest.param("36.10", "36.1101", True, id="more than a cent is a disagreement"),
    ],
)
def test_an_erp_that_disagrees_is_a_conflict(agreed: str, erp: str, is_conflict: bool):
    found = price.check_erp_price("PMP-0042", money(agreed), money(erp))
    assert (found is not None and found.reason is PricingConflictReason.ERP_DISAGREES) is is_conflict


def test_an_erp_that_answers_in_another_currency_is_a_conflict():
    assert price.check_erp_price("PMP-0042", money("1"), money("1", "EUR")) is not None


# --- Tokens --------------------------------------------------------------------------------------------------------

decimals = st.decimals(min_value="0", max_value="99999", places=4)
claims = st.builds(
    PriceClaims,
    account_id=st.text(max_size=20),
    sku=st.text(max_size=20),
    uom=st.sampled_from(["EA", "XBX"]),
    unit=st.builds(Money, decimals, st.sampled_from(["USD", "JPY"])),
    min_quantity=decimals,
    below=st.none() | decimals,
    source=st.sampled_from(PriceSource),
    rule_id=st.none() | st.text(max_size=20),
    expires_at=st.datetimes(timezones=st.just(UTC)),
)


@given(claims)
def test_what_is_signed_comes_back(signed: PriceClaims):
    assert SIGNER.verify(SIGNER.sign(signed)) == signed


@given(claims, st.integers(0), st.characters(codec="ascii", categories=["L", "N"]))
def test_a_changed_character_breaks_the_token(signed: PriceClaims, place: int, character: str):
    token = SIGNER.sign(signed)
    place %= len(token)
    changed = token[:place] + character + token[place + 1 :]
    if changed != token:
        assert isinstance(SIGNER.verify(changed), TokenFault)


def test_a_cheaper_price_under_an_old_signature_is_refused():
    payload, signature = offered().token.removeprefix("ptk_").split(".")
    found = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**found, "unit": "0.01"}).encode()).decode().rstrip("=")
    assert SIGNER.verify(f"ptk_{forged}.{signature}") is TokenFault.BAD_SIGNATURE


def test_a_token_longer_than_ours_are_is_not_even_decoded():
    claims = PriceClaims("a" * 2_000, "s", "EA", money("1"), Decimal(0), None, PriceSource.LIST, None, NOW)
    assert SIGNER.verify(SIGNER.sign(claims)) is TokenFault.MALFORMED


def test_the_same_claims_give_the_same_token():
    assert offered().token == offered().token


def test_a_replaced_key_still_verifies():
    fresh = b"the key that replaces the old one"
    token = SIGNER.sign(PriceClaims("a", "s", "EA", money("1"), Decimal(0), None, PriceSource.LIST, None, NOW))
    assert isinstance(TokenSigner(fresh, SIGNING_KEY).verify(token), PriceClaims)
    assert TokenSigner(fresh).verify(token) is TokenFault.BAD_SIGNATURE


@pytest.mark.parametrize("keys", [pytest.param((), id="none"), pytest.param((b"short",), id="short")])
def test_a_weak_key_is_refused(keys: tuple[bytes, ...]):
    with pytest.raises(ValueError, match="at least 32 bytes"):
        TokenSigner(*keys)
