"""Rules of composition: of one subgraph alone, of the merged schema, of the finished supergraph."""

from gateway.composition.validate.names import check_subgraph_names
from gateway.composition.validate.post_merge import check_merged, check_supergraph
from gateway.composition.validate.pre_merge import check_subgraph

__all__ = ["check_merged", "check_subgraph", "check_subgraph_names", "check_supergraph"]
