"""The inventory subgraph: its roots, its wiring, its ASGI app."""
