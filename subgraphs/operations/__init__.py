"""The operations subgraph: its roots, its wiring, its ASGI app."""
