"""Rules of ``@authenticated``, ``@requiresScopes`` and ``@policy`` in the merged schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gateway.composition.codes import Fault
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.merge.merged import MergedField, MergedSchema, MergedType
from gateway.composition.places import Reporter, find_places
from gateway.composition.subgraph_set import Subgraph
from gateway.graph import SubgraphIndex
from gateway.operation.document import SelectedField
from gateway.supergraph import AuthorizationRule, JoinField, Supergraph, named_type

__all__ = ["check_rights"]

_DIRECTIVES = ("authenticated", "requiresScopes", "policy")
_RIGHTS = tuple(f"@{name}" for name in _DIRECTIVES)


def check_rights(
    schema: MergedSchema, supergraph: Supergraph, subgraphs: Sequence[Subgraph], diagnostics: Diagnostics
) -> None:
    """Report rights on interfaces, and rights that ``@requires`` would get around."""
    reporter = Reporter(subgraphs, diagnostics)
    for type_ in schema.types.values():
        _check_interface(type_, reporter)
    _check_required_rights(supergraph, {subgraph.name: subgraph for subgraph in subgraphs}, diagnostics)


def _check_interface(type_: MergedType, reporter: Reporter) -> None:
    if type_.kind != "interface":
        return
    elements: list[tuple[MergedType | MergedField, str]] = [(type_, type_.name)]
    elements += [(field, f"{type_.name}.{field.name}") for field in type_.fields.values()]
    for element, coordinate in elements:
        if any(text.startswith(_RIGHTS) for text in element.applied):
            message = f"{coordinate}: put the right on every implementation instead of the interface"
            reporter.error(Fault.AUTH_REQUIREMENTS_APPLIED_ON_INTERFACE, message, coordinate, *_DIRECTIVES)


def _check_required_rights(supergraph: Supergraph, subgraphs: Mapping[str, Subgraph], diagnostics: Diagnostics) -> None:
    """A field that requires a protected one shows what follows from it, so it needs the same right."""
    index = SubgraphIndex(supergraph)
    for type_ in supergraph.types.values():
        for field in type_.fields.values():
            for join in field.joins.values() if type_.kind == "object" else ():
                own = _rules(supergraph, type_.name, field.name)
                for required in _needed(supergraph, index, type_.name, join):
                    _check_rights(
                        supergraph, f"{type_.name}.{field.name}", subgraphs[join.graph], own, required, diagnostics
                    )


def _needed(supergraph: Supergraph, index: SubgraphIndex, type_name: str, join: JoinField) -> Iterator[SelectedField]:
    """Yield what a field is computed from: what it requires and what it reads from contexts."""
    if join.requires:
        yield from index.field_set(join.requires, type_name)
    for argument in join.contexts:
        for name, type_ in supergraph.types.items():
            if type_.kind == "object" and argument.context in supergraph.contexts_of(name):
                yield from index.field_set(argument.fields, name)


def _check_rights(
    supergraph: Supergraph,
    coordinate: str,
    subgraph: Subgraph,
    own: list[AuthorizationRule],
    required: SelectedField,
    diagnostics: Diagnostics,
) -> None:
    for type_name in sorted(required.on):
        needed = _rules(supergraph, type_name, required.name)
        if all(_implies(own, rule) for rule in needed):
            continue
        diagnostics.error(
            Fault.MISSING_TRANSITIVE_AUTH_REQUIREMENTS,
            f"[{subgraph.name}] {coordinate} requires {type_name}.{required.name}, which is protected; protect it "
            "likewise",
            coordinate=coordinate,
            at=find_places([subgraph], coordinate),
        )
        return
    for child in required.fields:
        _check_rights(supergraph, coordinate, subgraph, own, child, diagnostics)


def _rules(supergraph: Supergraph, type_name: str, field: str) -> list[AuthorizationRule]:
    definition = supergraph.types[type_name].fields.get(field)
    coordinates = [f"{type_name}.{field}"]
    if definition is not None:
        coordinates.append(named_type(definition.type))
    return [supergraph.authorization[one] for one in coordinates if one in supergraph.authorization]


def _implies(own: list[AuthorizationRule], needed: AuthorizationRule) -> bool:
    if needed.authenticated and not any(rule.authenticated for rule in own):
        return False
    for part in ("scopes", "policies"):
        wanted = getattr(needed, part)
        if wanted and not any(
            getattr(rule, part) and all(any(set(w) <= set(group) for w in wanted) for group in getattr(rule, part))
            for rule in own
        ):
            return False
    return True
