"""Subgraphs to try the gateway with."""
