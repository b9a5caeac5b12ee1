"""The orders subgraph: its roots, its wiring, its ASGI app."""
