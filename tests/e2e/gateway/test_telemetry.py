"""Metrics and masked errors as an operator and a client see them."""

from __future__ import annotations

from structlog.testing import capture_logs

from tests.e2e.gateway.test_gateway import IN_PROCESS, http

SECRET = {"query": "query Secrets { products(first: 1) { upc secret } }"}
ME = {"query": "query Me { me { name } }"}


async def test_errors_of_subgraphs_are_masked_where_that_is_set():
    async with http(IN_PROCESS.with_settings(errors={"subgraph_errors": "masked"})) as client:
        answer = (await client.post("/graphql", json=SECRET)).json()
    assert answer["data"] == {"products": [{"upc": "table", "secret": None}]}
    error = answer["errors"][0]
    assert error["path"] == ["products", 0, "secret"]
    assert "warehouse" not in error["message"]
    assert set(error["extensions"]) == {"code", "subgraph", "system", "retryable", "correlationId"}
    assert error["extensions"]["code"] == "WMS_CLOSED"


async def test_metrics_count_operations_fetches_and_refusals():
    async with http(IN_PROCESS.with_settings(telemetry={"metrics": True})) as client:
        assert (await client.post("/graphql", json=ME)).status_code == 200
        await client.post("/graphql", json=SECRET)
        await client.post("/graphql", json={"query": "{ no }"})
        page = (await client.get("/metrics")).text
    lines = page.splitlines()
    assert 'gateway_operations_total{kind="query",operation="Me",outcome="ok"} 1.0' in lines
    assert 'gateway_operations_total{kind="query",operation="Secrets",outcome="errors"} 1.0' in lines
    assert 'gateway_refused_total{code="GRAPHQL_VALIDATION_FAILED"} 1.0' in lines
    assert 'gateway_subgraph_seconds_count{outcome="ok",subgraph="accounts"} 1.0' in lines
    assert "gateway_plans 2.0" in lines
    assert "gateway_running 0.0" in lines


async def test_metrics_are_served_only_where_that_is_set():
    async with http(IN_PROCESS) as client:
        assert (await client.get("/metrics")).status_code == 404


async def test_operations_with_errors_are_logged_by_name_and_hash():
    with capture_logs() as captured:
        async with http(IN_PROCESS) as client:
            await client.post("/graphql", json=ME)
            await client.post("/graphql", json=SECRET, headers={"graphql-client-name": "web"})
    assert [(line["operation"], line["client"], line["codes"]) for line in captured] == [
        ("Secrets", "web", ["WMS_CLOSED"])
    ]
