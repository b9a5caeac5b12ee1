"""The supergraph: what a composer wrote down about all subgraphs, read once and never changed."""

from gateway.supergraph.model import (
    AuthorizationRule,
    ContextArgument,
    FieldDefinition,
    JoinField,
    JoinType,
    SubgraphInfo,
    Supergraph,
    TypeDefinition,
    named_type,
)
from gateway.supergraph.parse import parse_supergraph

__all__ = [
    "AuthorizationRule",
    "ContextArgument",
    "FieldDefinition",
    "JoinField",
    "JoinType",
    "SubgraphInfo",
    "Supergraph",
    "TypeDefinition",
    "named_type",
    "parse_supergraph",
]
