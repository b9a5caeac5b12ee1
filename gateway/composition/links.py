"""``@link``: which features a subgraph uses and under which names. Source: core/link specification v1.0."""

from __future__ import annotations

import re
from typing import Any

from graphql import DocumentNode, value_from_ast_untyped
from graphql.language import ConstDirectiveNode, SchemaDefinitionNode, SchemaExtensionNode

from gateway.composition.codes import Fault
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.subgraph_set import LinkedFeature

__all__ = ["FEDERATION", "FEDERATION_DIRECTIVES", "SPECIFICATIONS", "local_names", "local_types", "read_links"]

SPECIFICATIONS = "https://specs.apollo.dev/"
FEDERATION = f"{SPECIFICATIONS}federation"
LINK = f"{SPECIFICATIONS}link"
LATEST_FEDERATION = (2, 12)

FEDERATION_DIRECTIVES: dict[str, tuple[int, int]] = {
    "key": (2, 0),
    "requires": (2, 0),
    "provides": (2, 0),
    "external": (2, 0),
    "tag": (2, 0),
    "extends": (2, 0),
    "shareable": (2, 0),
    "inaccessible": (2, 0),
    "override": (2, 0),
    "composeDirective": (2, 1),
    "interfaceObject": (2, 3),
    "authenticated": (2, 5),
    "requiresScopes": (2, 5),
    "policy": (2, 6),
    "context": (2, 8),
    "fromContext": (2, 8),
    "cost": (2, 9),
    "listSize": (2, 9),
    "cacheTag": (2, 12),
}
"""Federation directives with the version that introduced them."""

FEDERATION_TYPES = {"FieldSet": (2, 0), "Scope": (2, 5), "Policy": (2, 6), "ContextFieldValue": (2, 8)}

_OTHER_FEATURES = {
    "tag": ("tag",),
    "inaccessible": ("inaccessible",),
    "cost": ("cost", "listSize"),
    "authenticated": ("authenticated",),
    "requiresScopes": ("requiresScopes",),
    "policy": ("policy",),
}
_OTHER_TYPES = {"link": ("Purpose", "Import"), "requiresScopes": ("Scope",), "policy": ("Policy",)}
_ADDRESS = re.compile(r"^(?P<identity>.*/(?P<name>[^/]+))/v(?P<major>\d+)\.(?P<minor>\d+)$")


def read_links(document: DocumentNode, subgraph: str, diagnostics: Diagnostics) -> list[LinkedFeature] | None:
    """Return the linked features, None when a link is unusable."""
    applied = [
        directive
        for node in document.definitions
        if isinstance(node, SchemaDefinitionNode | SchemaExtensionNode)
        for directive in node.directives or ()
        if directive.name.value == "link"
    ]
    features: list[LinkedFeature] = []
    usable = True
    for directive in applied:
        feature = _read_link(directive, subgraph, diagnostics, alone=len(applied) == 1)
        if feature is None:
            usable = False
        else:
            features.append(feature)
    return features if usable else None


def _read_link(
    directive: ConstDirectiveNode, subgraph: str, diagnostics: Diagnostics, *, alone: bool
) -> LinkedFeature | None:
    arguments = {item.name.value: value_from_ast_untyped(item.value) for item in directive.arguments or ()}

    def refuse(code: Fault, message: str) -> None:
        diagnostics.error(code, f"[{subgraph}] {message}", at=[(subgraph, directive)])

    address = arguments.get("url")
    if not isinstance(address, str):
        refuse(Fault.INVALID_LINK_DIRECTIVE_USAGE, "@link needs a url")
        return None
    match = _ADDRESS.match(address)
    if match is None or not re.match(r"^https?://[^/]+/", address):
        refuse(
            Fault.INVALID_LINK_IDENTIFIER, f"{address}: the address must have a path and end in a version such as v1.0"
        )
        return None
    version = (int(match["major"]), int(match["minor"]))
    identity, name = match["identity"], match["name"]
    imports = _read_imports(arguments.get("import") or [], refuse)
    if imports is None:
        return None
    if identity == FEDERATION:
        latest = ".".join(map(str, LATEST_FEDERATION))
        if version[0] != 2 or version > LATEST_FEDERATION:
            refuse(Fault.UNKNOWN_FEDERATION_LINK_VERSION, f"{address}: versions v2.0 to v{latest} are known")
            return None
        for imported in imports:
            known = FEDERATION_DIRECTIVES.get(imported[1:]) if imported[0] == "@" else FEDERATION_TYPES.get(imported)
            if known is None or known > version:
                refuse(Fault.INVALID_LINK_DIRECTIVE_USAGE, f"{address} has no element {imported} to import")
                return None
    elif identity == LINK and version != (1, 0):
        code = Fault.UNKNOWN_LINK_VERSION if alone else Fault.INVALID_LINK_DIRECTIVE_USAGE
        refuse(code, f"{address}: version v1.0 of link is known")
        return None
    alias = arguments.get("as") or name
    return LinkedFeature(identity, name, version, alias, imports, directive)


def _read_imports(items: Any, refuse: Any) -> dict[str, str] | None:
    imports: dict[str, str] = {}
    for item in items if isinstance(items, list) else [items]:
        if isinstance(item, str):
            imports[item] = item
            continue
        if not isinstance(item, dict) or not isinstance(item.get("name"), str) or set(item) - {"name", "as"}:
            refuse(Fault.INVALID_LINK_DIRECTIVE_USAGE, f"{item!r}: import a name, or an object with name and as")
            return None
        local = item.get("as") or item["name"]
        if local.startswith("@") != item["name"].startswith("@"):
            refuse(Fault.INVALID_LINK_DIRECTIVE_USAGE, f"{item['name']} and {local} must both start with @, or neither")
            return None
        imports[item["name"]] = local
    return imports


def local_names(features: list[LinkedFeature]) -> dict[str, str]:
    """Return canonical federation directive names by local directive name."""
    names: dict[str, str] = {}
    for feature in features:
        if feature.identity == FEDERATION:
            for directive, since in FEDERATION_DIRECTIVES.items():
                if since <= feature.version:
                    local = feature.imports.get(f"@{directive}")
                    names[local[1:] if local else f"{feature.alias}__{directive}"] = directive
        elif feature.identity.startswith(SPECIFICATIONS) and feature.name in _OTHER_FEATURES:
            for directive in _OTHER_FEATURES[feature.name]:
                local = feature.imports.get(f"@{directive}")
                default = feature.alias if directive == feature.name else f"{feature.alias}__{directive}"
                names[local[1:] if local else default] = directive
    return names


def local_types(features: list[LinkedFeature]) -> dict[str, str]:
    """Return canonical names of the specifications' own types by local type name."""
    names = {"link__Purpose": "Purpose", "link__Import": "Import"}
    for feature in features:
        if feature.identity == FEDERATION:
            types: tuple[str, ...] = tuple(FEDERATION_TYPES)
        elif feature.identity.startswith(SPECIFICATIONS):
            types = _OTHER_TYPES.get(feature.name, ())
        else:
            continue
        names.update({feature.imports.get(name, f"{feature.alias}__{name}"): name for name in types})
    return names
