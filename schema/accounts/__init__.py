"""Strawberry types of the accounts subgraph."""
