"""The published schema: SDL of every subgraph and the supergraph composed of them, kept in the package ``schema``.

The files are generated from the code by ``crossdock schema`` and compared with it in tests; the gateway serves them,
so that what is reviewed is what runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

__all__ = ["SUPERGRAPH_FILE", "compose_supergraph", "published_supergraph", "sdl_files", "subgraph_sdl"]

SUPERGRAPH_FILE = "supergraph.graphql"


def subgraph_sdl() -> Mapping[str, str]:
    """Return the SDL of every subgraph by name, as the code has it."""
    from subgraphs.accounts.app import accounts_schema  # noqa: PLC0415 - the gateway alone loads no subgraph
    from subgraphs.catalog.app import catalog_schema  # noqa: PLC0415
    from subgraphs.inventory.app import inventory_schema  # noqa: PLC0415
    from subgraphs.operations.app import operations_schema  # noqa: PLC0415
    from subgraphs.orders.app import orders_schema  # noqa: PLC0415

    schemas = {
        "accounts": accounts_schema,
        "catalog": catalog_schema,
        "inventory": inventory_schema,
        "operations": operations_schema,
        "orders": orders_schema,
    }
    return {name: schema.as_str() + "\n" for name, schema in schemas.items()}


def compose_supergraph(sdl: Mapping[str, str]) -> str:
    """Return the supergraph of subgraphs; their addresses come from the gateway's settings.

    Raises:
        CompositionError: they do not compose; it names every problem.
    """
    from gateway.composition import SubgraphSource, compose  # noqa: PLC0415
    from gateway.errors import CompositionError  # noqa: PLC0415

    composition = compose([SubgraphSource(name, f"http://{name}/graphql", text) for name, text in sdl.items()])
    if composition.supergraph is None:
        raise CompositionError(str(problem) for problem in composition.errors)
    return str(composition.supergraph)


def sdl_files() -> Mapping[str, str]:
    """Return what ``schema/`` must hold, text by path within it.

    Raises:
        CompositionError: the subgraphs do not compose.
    """
    sdl = subgraph_sdl()
    return {f"sdl/{name}.graphql": text for name, text in sdl.items()} | {SUPERGRAPH_FILE: compose_supergraph(sdl)}


def published_supergraph() -> str:
    """Return the supergraph as it is published."""
    return files("schema").joinpath(SUPERGRAPH_FILE).read_text(encoding="utf-8")
