"""What can be reached from where: the index of a supergraph that planning asks, built once per supergraph."""

from gateway.graph.index import SubgraphIndex

__all__ = ["SubgraphIndex"]
