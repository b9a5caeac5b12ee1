"""What can be reached from where: the index of a supergraph that composition and planning ask."""

from gateway.graph.index import SubgraphIndex
from gateway.graph.places import Holder, Place, Places, leaves_given

__all__ = ["Holder", "Place", "Places", "SubgraphIndex", "leaves_given"]
