"""The accounts subgraph: its roots, its wiring, its ASGI app."""
