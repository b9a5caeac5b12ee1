"""The npm clients that name documents instead of sending them, each against a served gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.gateway.test_gateway import IN_PROCESS
from tests.support.node import needs_node, run_node

QUERY = "query N { me { name __typename } }"
ME = {"me": {"name": "Ada", "__typename": "User"}}
ID = "N-1"


async def asked(client: str, **settings: Any) -> dict[str, Any]:
    async with IN_PROCESS.with_settings(**settings).serve() as address:
        found: dict[str, Any] = await run_node("documents.mjs", client, f"{address}/graphql", QUERY, ID)
    return found


@needs_node
@pytest.mark.parametrize(
    ("client", "method"), [("@apollo/client, automatic", "POST"), ("@apollo/client, automatic by GET", "GET")]
)
async def test_apollo_registers_a_text_once_and_goes_on_by_its_hash(client: str, method: str) -> None:
    found = await asked(client)
    assert found["answers"] == [ME, ME]
    assert [request["hasText"] for request in found["sent"]] == [False, True, False]
    assert {request["method"] for request in found["sent"] if not request["hasText"]} == {method}
    assert len({request["named"] for request in found["sent"]}) == 1
    assert found["sent"][-1]["status"] == 200


@needs_node
async def test_apollo_goes_on_with_texts_where_documents_are_not_kept() -> None:
    found = await asked("@apollo/client, automatic", documents={"automatic": {"enabled": False}})
    assert found["answers"] == [ME, ME]
    assert [request["hasText"] for request in found["sent"]] == [False, True, True], "it asks by hash no second time"


MANIFESTS = {
    "@apollo/client, manifest": {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [{"id": ID, "name": "N", "type": "query", "body": QUERY}],
    },
    "relay-runtime, manifest": {ID: QUERY},
}


@needs_node
@pytest.mark.parametrize("client", MANIFESTS)
async def test_a_client_names_what_its_manifest_has_and_sends_no_text(tmp_path: Path, client: str) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps(MANIFESTS[client]))
    trusted = {"manifests": [str(manifest)], "mode": "required", "require_id": True}
    found = await asked(client, documents={"trusted": trusted, "automatic": {"enabled": False}})
    assert found["answers"] == [ME, ME]
    assert found["sent"] == [{"method": "POST", "hasText": False, "named": ID, "status": 200}] * 2
