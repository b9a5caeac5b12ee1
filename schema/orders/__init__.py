"""Strawberry types of the orders subgraph."""
