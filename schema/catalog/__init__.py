"""Strawberry types of the catalog subgraph."""
