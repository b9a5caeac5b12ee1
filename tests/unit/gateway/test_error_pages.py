from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.errors import ErrorCode, GatewayError, http_status_for

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "errors"


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_a_page_that_says_when_and_what_to_do(code):
    text = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {code}\n")
    for heading in ("## When", "## What to do"):
        section = text.partition(heading)[2].partition("\n## ")[0]
        assert len(section.split()) >= 4, heading


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_is_used(code):
    sources = [path for path in (ROOT / "gateway").rglob("*.py") if path.name != "errors.py"]
    own = (ROOT / "gateway" / "errors.py").read_text(encoding="utf-8").partition("class GatewayError")[2]
    text = own + "".join(path.read_text(encoding="utf-8") for path in sources)
    assert re.search(rf"\b{code}\b", text)


def test_the_status_of_several_errors_follows_a_fixed_priority():
    assert http_status_for([]) == 200
    assert http_status_for([ErrorCode.BAD_USER_INPUT]) == 400
    assert http_status_for([ErrorCode.BAD_USER_INPUT, ErrorCode.UNAUTHENTICATED]) == 401
    assert http_status_for([ErrorCode.UNAUTHENTICATED, ErrorCode.INTERNAL_ERROR]) == 500


def test_errors_are_one_family():
    error = GatewayError(ErrorCode.BAD_REQUEST, "what happened")
    assert (str(error), error.code, error.shown) == ("what happened", "BAD_REQUEST", True)
