"""Custom directives that ``@composeDirective`` carries into the supergraph, and the names of imported ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from graphql.language import Node

from gateway.composition.codes import Fault, Hint
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.links import FEDERATION, FEDERATION_DIRECTIVES
from gateway.composition.merge.merged import MergedSchema
from gateway.composition.subgraph_set import Applied, LinkedFeature, Subgraph

__all__ = ["check_import_names", "compose_directives", "hint_upgrades"]

_MERGED = ("tag", "inaccessible", "authenticated", "requiresScopes", "policy", "cost", "listSize")
_LINKABLE_SINCE = {"authenticated": (2, 5), "requiresScopes": (2, 5), "policy": (2, 5), "cost": (2, 9)}
_SPECS = "https://specs.apollo.dev/"


def check_import_names(subgraphs: Sequence[Subgraph], diagnostics: Diagnostics) -> None:
    """A directive that reaches the supergraph has one name there, so every subgraph imports it under the same one."""
    for directive in _MERGED:
        found: dict[str, list[tuple[str, Node | None]]] = {}
        for subgraph in subgraphs:
            for feature in subgraph.features:
                local = feature.imports.get(f"@{directive}")
                if local is not None and feature.identity.startswith(_SPECS):
                    found.setdefault(local, []).append((subgraph.name, feature.node))
        if len(found) > 1:
            listed = ", ".join(f"{local} in {', '.join(name for name, _ in places)}" for local, places in found.items())
            diagnostics.error(
                Fault.LINK_IMPORT_NAME_MISMATCH,
                f"@{directive} is imported under different names: {listed}",
                coordinate=f"@{directive}",
                at=[place for places in found.values() for place in places],
            )


def hint_upgrades(subgraphs: Sequence[Subgraph], diagnostics: Diagnostics) -> None:
    """Hint at subgraphs that link a feature by itself that their version of federation does not have yet."""
    for subgraph in subgraphs:
        for feature in subgraph.features:
            since = _LINKABLE_SINCE.get(feature.name) if feature.identity.startswith(_SPECS) else None
            if since is not None and subgraph.version is not None and since > subgraph.version:
                message = (
                    f"[{subgraph.name}] {feature.address} needs federation v{since[0]}.{since[1]}, which is assumed"
                )
                at = [(subgraph.name, feature.node)]
                diagnostics.hint(Hint.IMPLICITLY_UPGRADED_FEDERATION_VERSION, message, at=at)


def compose_directives(subgraphs: Sequence[Subgraph], schema: MergedSchema, diagnostics: Diagnostics) -> None:
    """Take over definitions and links of the directives that subgraphs ask to compose."""
    links: dict[str, LinkedFeature] = {}
    imports: dict[str, dict[str, str]] = {}
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
                    Fault.DIRECTIVE_COMPOSITION_ERROR,
                    f"{feature.identity} is linked in versions that do not fit: {known.address} and {feature.address}",
                    at=[(subgraph.name, applied.node)],
                )
                continue
            if known is None or feature.version > known.version:
                links[feature.identity] = feature
            name = str(applied.arguments["name"])[1:]
            schema.composed_directives.setdefault(name, subgraph.directive_definitions[name])
            imported = imports.setdefault(feature.identity, {})
            imported.update({item: local for item, local in feature.imports.items() if local == f"@{name}"})
    _hint_uncomposed(subgraphs, links, imports, diagnostics)
    for identity, feature in sorted(links.items()):
        schema.composed_features.add(feature.alias)
        alias = f', as: "{feature.alias}"' if feature.alias != feature.name else ""
        names = ", ".join(_import(item, local) for item, local in imports[identity].items())
        listed = f", import: [{names}]" if names else ""
        schema.composed_links.append(f'@link(url: "{feature.address}"{alias}{listed})')


def _hint_uncomposed(
    subgraphs: Sequence[Subgraph],
    links: Mapping[str, LinkedFeature],
    imports: Mapping[str, Mapping[str, str]],
    diagnostics: Diagnostics,
) -> None:
    """Hint at subgraphs that link a composed feature in another way without composing it themselves."""
    for subgraph in subgraphs:
        if any(applied.is_federation and applied.name == "composeDirective" for applied in subgraph.schema_directives):
            continue
        for feature in subgraph.features:
            composed = links.get(feature.identity)
            if composed is None:
                continue
            at = [(subgraph.name, feature.node)]
            if feature.version[0] != composed.version[0]:
                message = f"[{subgraph.name}] links {feature.address}, others compose {composed.address}"
                diagnostics.hint(Hint.DIRECTIVE_COMPOSITION_INFO, message, at=at)
            for item, local in imports[feature.identity].items():
                if feature.imports.get(item, local) != local:
                    message = f"[{subgraph.name}] imports {item} as {feature.imports[item]}, others compose {local}"
                    diagnostics.hint(Hint.DIRECTIVE_COMPOSITION_WARN, message, at=at)


def _import(name: str, local: str) -> str:
    return json.dumps(name) if name == local else f"{{name: {json.dumps(name)}, as: {json.dumps(local)}}}"


def _feature(subgraph: Subgraph, applied: Applied, diagnostics: Diagnostics) -> LinkedFeature | None:
    """Return the feature that a composed directive belongs to, None after reporting why it cannot be composed."""

    def refuse(message: str) -> None:
        diagnostics.error(
            Fault.DIRECTIVE_COMPOSITION_ERROR, f"[{subgraph.name}] {message}", at=[(subgraph.name, applied.node)]
        )

    name = applied.arguments.get("name")
    if not isinstance(name, str) or not name:
        refuse("@composeDirective needs the name of a directive")
        return None
    if not name.startswith("@"):
        refuse(f"@composeDirective: write @{name} with its @")
        return None
    if subgraph.names.get(name[1:]) in _MERGED:
        diagnostics.hint(
            Hint.DIRECTIVE_COMPOSITION_INFO,
            f"[{subgraph.name}] {name} is composed without @composeDirective",
            at=[(subgraph.name, applied.node)],
        )
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
                    Hint.DIRECTIVE_COMPOSITION_INFO,
                    f"[{subgraph.name}] {name} is composed without @composeDirective",
                    at=[(subgraph.name, applied.node)],
                )
                return None
            return feature
    refuse(f"@composeDirective: {name} belongs to no feature that the subgraph links")
    return None
