"""Which features a supergraph links, and under which names: ``@link``, or ``@core`` in old documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode, Visitor, value_from_ast_untyped, visit
from graphql.language import (
    DirectiveDefinitionNode,
    DirectiveNode,
    NamedTypeNode,
    NameNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    TypeDefinitionNode,
)

from gateway.errors import ErrorCode, SupergraphError

__all__ = ["canonical_document", "check_features", "is_of_feature", "linked_features"]

IMPLEMENTED_FEATURES = frozenset(
    {
        "core",
        "link",
        "join",
        "tag",
        "inaccessible",
        "authenticated",
        "requiresScopes",
        "policy",
        "cost",
        "context",
        "cacheTag",
    }
)
"""Features whose meaning this gateway keeps; any other with a purpose must not be ignored."""

_SPECIFICATIONS = "https://specs.apollo.dev/"
_WITHOUT_LINK = frozenset({"federation"})


@dataclass(frozen=True, slots=True)
class _Link:
    address: str
    name: str
    alias: str
    purpose: str | None
    imports: dict[str, str]


def check_features(document: DocumentNode) -> None:
    """Refuse what would be served wrongly.

    Raises:
        SupergraphError: a feature with a purpose is linked that this gateway does not implement.
    """
    for link in _links(document):
        if link.purpose in {"SECURITY", "EXECUTION"} and link.name not in IMPLEMENTED_FEATURES:
            raise SupergraphError(
                f"the supergraph links {link.address} for {link.purpose}, which this gateway does not implement; "
                "serving it without would break what the feature promises",
                ErrorCode.SUPERGRAPH_FEATURE_UNSUPPORTED,
            )


def linked_features(document: DocumentNode) -> frozenset[str]:
    """Return the name prefixes that belong to features and not to the API."""
    return frozenset(link.alias for link in _links(document)) | IMPLEMENTED_FEATURES | _WITHOUT_LINK


def is_of_feature(name: str, features: frozenset[str]) -> bool:
    """Tell whether a type or directive belongs to a feature by the prefix of its name."""
    prefix, separator, _ = name.partition("__")
    return bool(separator) and prefix in features


def canonical_document(document: DocumentNode) -> DocumentNode:
    """Return the document with the specifications' own names where it links their features under others."""
    prefixes: dict[str, str] = {}
    directives: dict[str, str] = {}
    types: dict[str, str] = {}
    for link in _links(document):
        if not link.address.startswith(_SPECIFICATIONS):
            continue
        if link.alias != link.name:
            prefixes[link.alias] = link.name
            directives[link.alias] = link.name
        for name, local in link.imports.items():
            if name != local and name.startswith("@"):
                directives[local[1:]] = name[1:]
            elif name != local:
                types[local] = f"{link.name}__{name}"
    if not prefixes and not directives and not types:
        return document
    renamed: DocumentNode = visit(document, _Renamer(prefixes, directives, types))
    return renamed


class _Renamer(Visitor):
    def __init__(self, prefixes: dict[str, str], directives: dict[str, str], types: dict[str, str]) -> None:
        super().__init__()
        self._prefixes = prefixes
        self._directives = directives
        self._types = types

    def leave_name(self, node: NameNode, _key: Any, parent: Any, *_: Any) -> NameNode | None:
        if isinstance(parent, DirectiveNode | DirectiveDefinitionNode):
            new = self._directives.get(node.value)
        elif isinstance(parent, NamedTypeNode | TypeDefinitionNode):
            new = self._types.get(node.value)
        else:
            return None
        if new is None:
            prefix, separator, rest = node.value.partition("__")
            if not separator or prefix not in self._prefixes:
                return None
            new = f"{self._prefixes[prefix]}__{rest}"
        return NameNode(value=new, loc=node.loc)


def _links(document: DocumentNode) -> Iterator[_Link]:
    for node in document.definitions:
        if not isinstance(node, SchemaDefinitionNode | SchemaExtensionNode):
            continue
        for applied in node.directives or ():
            if applied.name.value in {"link", "core"}:
                yield _read_link(applied)


def _read_link(applied: DirectiveNode) -> _Link:
    arguments = {item.name.value: value_from_ast_untyped(item.value) for item in applied.arguments or ()}
    address = str(arguments.get("url") or arguments.get("feature") or "").rstrip("/")
    name = address.split("/")[-2] if address.count("/") > 1 else address
    imports: dict[str, str] = {}
    given = arguments.get("import")
    for item in given if isinstance(given, list) else ():
        if isinstance(item, dict):
            imports[str(item.get("name"))] = str(item.get("as") or item.get("name"))
        else:
            imports[str(item)] = str(item)
    return _Link(address, name, str(arguments.get("as") or name), arguments.get("for"), imports)
