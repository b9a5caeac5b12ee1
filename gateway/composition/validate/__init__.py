"""Rules of composition: of one subgraph alone, of the merged schema, of the finished supergraph."""

from gateway.composition.validate.inaccessible import check_inaccessible
from gateway.composition.validate.names import check_subgraph_names
from gateway.composition.validate.post_merge import check_api_schema, check_merged
from gateway.composition.validate.pre_merge import check_subgraph
from gateway.composition.validate.rights import check_rights

__all__ = [
    "check_api_schema",
    "check_inaccessible",
    "check_merged",
    "check_rights",
    "check_subgraph",
    "check_subgraph_names",
]
