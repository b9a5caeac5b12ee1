"""Custom directives that ``@composeDirective`` carries into the supergraph, and the names of imported ones."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gateway.composition.diagnostics import Diagnostics
from gateway.composition.links import FEDERATION, FEDERATION_DIRECTIVES
from gateway.composition.merge.merged import MergedSchema
from gateway.composition.subgraph_set import Applied, LinkedFeature, Subgraph

__all__ = ["check_import_names", "compose_directives"]

_MERGED = ("tag", "inaccessible", "authenticated", "requiresScopes", "policy", "cost", "listSize")
_SPECS = "https://specs.apollo.dev/"


def check_import_names(subgraphs: Sequence[Subgraph], diagnostics: Diagnostics) -> None:
    """A directive that reaches the supergraph has one name there, so every subgraph imports it under the same one."""
    for directive in _MERGED:
        found: dict[str, list[str]] = {}
        for subgraph in subgraphs:
            for feature in subgraph.features:
                local = feature.imports.get(f"@{directive}")
                if local is not None and feature.identity.startswith(_SPECS):
                    found.setdefault(local, []).append(subgraph.name)
        if len(found) > 1:
            listed = ", ".join(f"{name} in {', '.join(names)}" for name, names in found.items())
            diagnostics.error(
                "LINK_IMPORT_NAME_MISMATCH",
                f"@{directive} is imported under different names: {listed}",
                coordinate=f"@{directive}",
                at=[(name, None) for names in found.values() for name in names],
            )


def compose_directives(subgraphs: Sequence[Subgraph], schema: MergedSchema, diagnostics: Diagnostics) -> None:
    """Take over definitions and links of the directives that subgraphs ask to compose."""
    links: dict[str, LinkedFeature] = {}
    imports: dict[str, dict[str, None]] = {}
    for subgraph in subgraphs:
        for applied in subgraph.schema_directives:
            if not applied.is_federation or applied.name != "composeDirective":
                continue
            feature = _feature(subgraph, applied, diagnostics)
            if feature is None:
                continue
            known = links.get(feature.identity)
            if known is not None and known.version[0] != feature.version[0]:
                diagnostics.error(
                    "DIRECTIVE_COMPOSITION_ERROR",
                    f"{feature.identity} is linked in versions that do not fit: {known.address} and {feature.address}",
                    at=[(subgraph.name, applied.node)],
                )
                continue
            if known is None or feature.version > known.version:
                links[feature.identity] = feature
            name = str(applied.arguments["name"])[1:]
            schema.composed_directives.setdefault(name, subgraph.directive_definitions[name])
            imports.setdefault(feature.identity, {})[f"@{name}"] = None
    for identity, feature in sorted(links.items()):
        names = ", ".join(json.dumps(name) for name in imports[identity])
        schema.composed_links.append(f'@link(url: "{feature.address}", import: [{names}])')


def _feature(subgraph: Subgraph, applied: Applied, diagnostics: Diagnostics) -> LinkedFeature | None:
    """Return the feature that a composed directive belongs to, None after reporting why it cannot be composed."""

    def refuse(message: str) -> None:
        diagnostics.error(
            "DIRECTIVE_COMPOSITION_ERROR", f"[{subgraph.name}] {message}", at=[(subgraph.name, applied.node)]
        )

    name = applied.arguments.get("name")
    if not isinstance(name, str) or not name:
        refuse("@composeDirective needs the name of a directive")
        return None
    if not name.startswith("@"):
        refuse(f"@composeDirective: write @{name} with its @")
        return None
    if name[1:] not in subgraph.directive_definitions:
        refuse(f"@composeDirective: {name} is not defined in this subgraph")
        return None
    if name[1:] in FEDERATION_DIRECTIVES and subgraph.names.get(name[1:]) is None:
        refuse(f"@composeDirective: {name} has the name of a federation directive")
        return None
    for feature in subgraph.features:
        if name in feature.imports.values() or name[1:] == feature.alias or name[1:].startswith(f"{feature.alias}__"):
            if feature.identity == FEDERATION or feature.identity.startswith(_SPECS):
                diagnostics.hint(
                    "DIRECTIVE_COMPOSITION_INFO",
                    f"[{subgraph.name}] {name} is composed without @composeDirective",
                    at=[(subgraph.name, applied.node)],
                )
                return None
            return feature
    refuse(f"@composeDirective: {name} belongs to no feature that the subgraph links")
    return None
