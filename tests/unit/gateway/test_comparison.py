"""What the comparison says of this gateway is proved by files that exist, and what it says of others by a source."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "comparison.md"


def test_every_proof_exists():
    links = re.findall(r"\]\((\.\./[^)]+|[a-z-]+\.md)\)", PAGE.read_text(encoding="utf-8"))
    assert len(links) > 20
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


def test_every_source_is_listed_and_used():
    text, _, sources = PAGE.read_text(encoding="utf-8").partition("## Read")
    used = {name for group in re.findall(r"\[((?:[ACHF]\d+(?:, )?)+)\]", text) for name in group.split(", ")}
    assert used == set(re.findall(r"\[([ACHF]\d+)\]", sources))
