"""Measure the parts of the engine by themselves: planning, running, shaping, large answers, memory of the plan cache.

    python bench/engine.py            prints one line per figure

No network and no other program: subgraph answers come from memory, so the figures are the engine's own. Times are the
best of several rounds, which is what repeats on a busy machine.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import orjson

from gateway.composition import SubgraphSource, compose_or_raise
from gateway.executor import ExecutionContext, compile_plan, run
from gateway.executor.shape import SchemaTypes
from gateway.operation import parse_operation
from gateway.planner import Planner
from gateway.server.pipeline import Pipeline
from gateway.server.principal import ANONYMOUS
from gateway.server.request import GraphQLRequest
from gateway.supergraph import parse_supergraph
from gateway.transport.base import SubgraphRequest, SubgraphResponse

ROUNDS = 7
DISTINCT_OPERATIONS = 10_000
LARGE_BYTES = 8 * 1024 * 1024

LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@key", "@shareable"])\n'
SUBGRAPHS = {
    "catalog": """
        type Query { products: [Product!]! }
        type Product @key(fields: "upc") { upc: ID! name: String price: Int }
    """,
    "stock": """
        type Product @key(fields: "upc") { upc: ID! inStock: Boolean warehouse: Warehouse }
        type Warehouse { code: ID! city: String }
    """,
    "reviews": """
        type Product @key(fields: "upc") { upc: ID! reviews: [Review!]! }
        type Review { id: ID! body: String author: User }
        type User @key(fields: "id") { id: ID! }
    """,
    "users": """
        type Query { users: [User!]! }
        type User @key(fields: "id") { id: ID! name: String email: String }
    """,
}
QUERY = """
query Products {
  products {
    upc name price inStock warehouse { code city }
    reviews { id body author { id name email } }
  }
}
"""
PRODUCTS = 100
REVIEWS = 5


class Answers:
    """Answers from memory, by subgraph; each body is made once."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any]) -> None:
        self._answer = answer
        self._bodies: dict[bytes, bytes] = {}

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """Answer at once."""
        body = self._bodies.get(request.body)
        if body is None:
            body = self._bodies[request.body] = orjson.dumps({"data": self._answer(orjson.loads(request.body))})
        return SubgraphResponse(200, "application/json", body)

    async def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """Yield the request itself; nothing here subscribes."""
        yield request.body

    async def aclose(self) -> None:
        """Forget the bodies."""
        self._bodies.clear()


def _products(_: dict[str, Any]) -> Any:
    rows = [{"__typename": "Product", "upc": str(n), "name": f"product {n}", "price": n} for n in range(PRODUCTS)]
    return {"products": rows}


def _entities(make: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda request: {"_entities": [make(item) for item in request["variables"]["representations"]]}


def _reviews(item: dict[str, Any]) -> Any:
    return {
        "reviews": [
            {"id": f"{item['upc']}-{n}", "body": "lorem ipsum " * 8, "author": {"__typename": "User", "id": str(n)}}
            for n in range(REVIEWS)
        ]
    }


TRANSPORTS = {
    "catalog": Answers(_products),
    "stock": Answers(_entities(lambda item: {"inStock": True, "warehouse": {"code": item["upc"], "city": "Köln"}})),
    "reviews": Answers(_entities(_reviews)),
    "users": Answers(_entities(lambda item: {"name": f"user {item['id']}", "email": "user@example.com"})),
}


def best(work: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Return the shortest time in milliseconds."""
    found = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        found = min(found, time.perf_counter() - started)
    return found * 1e3


def report(what: str, value: float, unit: str) -> None:
    print(f"{what:58}{value:10.2f} {unit}")


def main() -> None:
    composed = compose_or_raise([SubgraphSource(name=name, url="", sdl=LINK + sdl) for name, sdl in SUBGRAPHS.items()])
    supergraph = parse_supergraph(str(composed.supergraph))
    planner, types = Planner(supergraph), SchemaTypes(supergraph.api_schema)
    operation = parse_operation(supergraph, QUERY)
    plan = planner.plan(operation)
    executable = compile_plan(plan, supergraph.api_schema, types)
    context = ExecutionContext(TRANSPORTS)
    loop = asyncio.new_event_loop()
    result = loop.run_until_complete(run(executable, context))
    if result.errors:
        raise SystemExit(f"the benchmark's own graph fails: {result.errors[0]}")
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 5)  # as the served gateway does
    report("parse, validate, normalise", best(lambda: parse_operation(supergraph, QUERY)), "ms")
    report("plan", best(lambda: planner.plan(operation)), "ms")
    report(
        "compile with shape",
        best(lambda: compile_plan(plan, supergraph.api_schema, types).shape(context)),
        "ms",
    )
    size = len(result.to_bytes())
    run_once = best(lambda: loop.run_until_complete(run(executable, context)).to_bytes(), rounds=40)
    report(f"run {len(plan.fetches)} fetches into {size / 1024:.0f} KiB", run_once, "ms")
    _measure_cache(Pipeline(supergraph, planner, TRANSPORTS))
    _measure_large(supergraph, planner, loop)
    loop.close()


def _measure_large(supergraph: Any, planner: Planner, loop: asyncio.AbstractEventLoop) -> None:
    row = {"id": "1", "name": "a user with a name", "email": "user@example.com"}
    rows = [row] * (LARGE_BYTES // (len(orjson.dumps(row)) + 1))
    for what, query in (("passed on", "{ users { id name email } }"), ("shaped", "{ users { name email key: id } }")):
        plan = planner.plan(parse_operation(supergraph, query))
        shown = [{"name": row["name"], "email": row["email"], "key": "1", "more": 1}] * len(rows)
        body = orjson.dumps({"data": {"users": rows if what == "passed on" else shown}})
        executable = compile_plan(plan, supergraph.api_schema)
        context = ExecutionContext({"users": Answers(lambda _, body=body: orjson.loads(body)["data"])})
        base = best(lambda body=body: orjson.dumps(orjson.loads(body)))
        ours = best(lambda e=executable, c=context: loop.run_until_complete(run(e, c)).to_bytes())
        report(f"{len(body) / 2**20:.1f} MiB {what}, times loads + dumps", ours / base, "x")


def _measure_cache(pipeline: Pipeline) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(DISTINCT_OPERATIONS):
        pipeline.prepare(GraphQLRequest(f"query Q{number} {{ products {{ upc name reviews {{ body }} }} }}"), ANONYMOUS)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report(f"plans kept after {DISTINCT_OPERATIONS} distinct operations", pipeline.cached_plans, "plans")
    report("growth of peak memory meanwhile", (after - before) / 1024, "MiB")


if __name__ == "__main__":
    main()
