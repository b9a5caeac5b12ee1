"""The catalog subgraph: its roots, its wiring, its ASGI app."""
