"""Strawberry types of the inventory subgraph."""
