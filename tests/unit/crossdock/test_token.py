"""The token that the command makes for development says what it was asked to say, and no more."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
import typer
from typer.testing import CliRunner

from crossdock.commands import register

SECRET = "a secret that signs tokens of development"


@pytest.mark.parametrize(
    ("asked", "claims"),
    [
        pytest.param((), {"roles": [], "scope": ""}, id="nothing but who"),
        pytest.param(
            ("--role", "OPERATIONS", "--scope", "ops:read", "--warehouse", "W01", "--warehouse", "W02"),
            {"roles": ["OPERATIONS"], "scope": "ops:read", "warehouses": ["W01", "W02"]},
            id="operations of two warehouses",
        ),
        pytest.param(
            ("--role", "SALES", "--territory", "*"),
            {"roles": ["SALES"], "scope": "", "territories": ["*"]},
            id="a rep of all territories",
        ),
        pytest.param(
            ("--role", "PORTAL_BUYER", "--account", "acc_1"),
            {"roles": ["PORTAL_BUYER"], "scope": "", "accounts": ["acc_1"]},
            id="a customer",
        ),
    ],
)
def test_a_token_carries_the_claims_that_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...], claims: dict[str, Any]
):
    monkeypatch.setenv("CROSSDOCK_TOKEN_SECRET", SECRET)
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, ["token", "--subject", "user:wim", *asked])
    assert result.exit_code == 0, result.output
    found = jwt.decode(result.stdout.strip(), SECRET, ["HS256"])
    assert found.pop("exp") > 0
    assert found == {"sub": "user:wim", **claims}
