"""A bearer token says who a request comes from, or the request is refused."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from gateway.config import TokenIdentity, settings_from
from gateway.errors import ConfigError, ErrorCode, RequestError
from gateway.server.principal import ANONYMOUS, Principal
from gateway.server.tokens import TokenReader

SECRET = "long enough for every algorithm that a test may want to try out here"
OTHER = "some other secret of thirty-two characters"


DAY_S = 86_400
"""Life of a test's token: tokens in tables are made when the tests are collected, long before they are used."""


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    body = {"sub": "user:ann", "exp": time.time() + DAY_S, **claims}
    return jwt.encode({name: value for name, value in body.items() if value is not None}, secret, algorithm)


def reader(**settings: Any) -> TokenReader:
    return TokenReader(TokenIdentity(secret=SECRET, **settings))


def test_without_a_header_a_request_is_anonymous():
    assert reader()({}) == ANONYMOUS


def test_a_token_gives_subject_scopes_and_the_claims_that_are_passed_on():
    given = token(scope="credit:read orders:write", roles=["SALES"], accounts=["acc_1"], secret_note="x")
    principal = reader(pass_claims=("roles", "accounts"))({"authorization": f"Bearer {given}"})
    assert principal == Principal(
        "user:ann",
        frozenset({"credit:read", "orders:write"}),
        claims=(("accounts", ("acc_1",)), ("roles", ("SALES",))),
    )


def test_scopes_may_be_a_list():
    assert reader()({"authorization": f"bearer {token(scope=['a', 'b'])}"}).scopes == {"a", "b"}


@pytest.mark.parametrize(
    ("header", "said"),
    [
        pytest.param("Basic YTpi", "Bearer <token>", id="another scheme"),
        pytest.param("Bearer ", "Bearer <token>", id="no token"),
        pytest.param("Bearer " + "x" * 10_000, "Bearer <token>", id="a token that is too long"),
        pytest.param("Bearer a.b.c", "not accepted", id="not a token"),
        pytest.param(f"Bearer {token(OTHER)}", "not accepted", id="signed by somebody else"),
        pytest.param(f"Bearer {token(exp=1)}", "expired", id="expired"),
        pytest.param(f"Bearer {token(exp=None)}", "not accepted", id="without an end"),
        pytest.param(f"Bearer {token(sub=None)}", "not accepted", id="without a subject"),
        pytest.param(f"Bearer {token(algorithm='HS512')}", "not accepted", id="another algorithm"),
        pytest.param("Bearer " + jwt.encode({"sub": "x"}, None, "none"), "not accepted", id="not signed at all"),
        pytest.param(f"Bearer {token(iss='evil')}", "not accepted", id="another issuer"),
        pytest.param(f"Bearer {token(iss='us', aud='them')}", "not accepted", id="another audience"),
        pytest.param(f"Bearer {token(iss='us', aud='me', roles=[{}])}", "must be a string", id="a nested claim"),
    ],
)
def test_a_request_with_a_bad_token_is_refused(header: str, said: str):
    with pytest.raises(RequestError, match=said) as refused:
        reader(issuer="us", audience="me", pass_claims=("roles",))({"authorization": header})
    assert (refused.value.code, refused.value.http_status) == (ErrorCode.UNAUTHENTICATED, 401)


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        pytest.param({"tokens": {"secret": "short"}}, "identity.tokens.secret", id="a secret that can be guessed"),
        pytest.param(
            {"tokens": {"secret": SECRET}, "development_identity": {"subject": "me"}}, "exclude each other", id="both"
        ),
    ],
)
def test_settings_that_open_the_door_are_refused(identity: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        settings_from({"identity": identity})
