"""The public audit of GraphQL over HTTP: every MUST, SHOULD and MAY of the specification."""

from __future__ import annotations

from tests.e2e.gateway.test_gateway import IN_PROCESS
from tests.support.node import needs_node, run_node


@needs_node
async def test_every_audit_of_graphql_http_is_passed():
    async with IN_PROCESS.serve() as address:
        found = await run_node("audit.mjs", f"{address}/graphql")
    assert len(found) > 50
    assert {audit["name"]: audit["reason"] for audit in found if audit["status"] != "ok"} == {}
