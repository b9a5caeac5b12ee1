"""Merge applied directives: tags unite, inaccessible spreads, rights add up, deprecations keep one reason."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from graphql import print_ast

from gateway.composition.codes import Hint
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.merge.merged import MergedSchema
from gateway.composition.subgraph_set import Applied, Subgraph

__all__ = ["merge_applied"]

Found = list[tuple[Subgraph, list[Applied]]]


def merge_applied(coordinate: str, found: Found, schema: MergedSchema, diagnostics: Diagnostics) -> list[str]:
    """Return the directive texts of one element of the supergraph."""
    texts: list[str] = []
    by_name: dict[str, list[tuple[Subgraph, Applied]]] = {}
    for subgraph, directives in found:
        for applied in directives:
            key = (
                applied.name if applied.is_federation or applied.name in {"deprecated", "specifiedBy", "oneOf"} else ""
            )
            by_name.setdefault(key, []).append((subgraph, applied))
    if "tag" in by_name:
        schema.features.add("tag")
        names = dict.fromkeys(str(applied.arguments.get("name")) for _, applied in by_name["tag"])
        texts.extend(f"@tag(name: {json.dumps(name)})" for name in names)
    if "inaccessible" in by_name:
        schema.features.add("inaccessible")
        texts.append("@inaccessible")
    if "authenticated" in by_name:
        schema.features.add("authenticated")
        texts.append("@authenticated")
    for directive, argument in (("requiresScopes", "scopes"), ("policy", "policies")):
        if directive in by_name:
            schema.features.add(directive)
            given = [applied.arguments.get(argument) for _, applied in by_name[directive]]
            _hint_merged(coordinate, by_name[directive], directive, given, diagnostics)
            groups = _all_of([applied.arguments.get(argument) or [] for _, applied in by_name[directive]])
            texts.append(f"@{directive}({argument}: {json.dumps(groups)})")
    if "cost" in by_name:
        schema.features.add("cost")
        weights = [int(applied.arguments.get("weight") or 0) for _, applied in by_name["cost"]]
        _hint_merged(coordinate, by_name["cost"], "cost", weights, diagnostics)
        texts.append(f"@cost(weight: {max(weights)})")
    if "listSize" in by_name:
        schema.features.add("cost")
        texts.append(_list_size(coordinate, by_name["listSize"], diagnostics))
    texts.extend(_custom(coordinate, by_name.get("", []), schema, diagnostics))
    texts.extend(_deprecated(coordinate, by_name.get("deprecated", []), diagnostics))
    texts.extend(_specified_by(by_name.get("specifiedBy", [])))
    return texts


def _custom(
    coordinate: str, found: list[tuple[Subgraph, Applied]], schema: MergedSchema, diagnostics: Diagnostics
) -> list[str]:
    """Return applications of composed custom directives, each distinct one once."""
    texts: dict[str, str] = {}
    for subgraph, applied in found:
        definition = schema.composed_directives.get(applied.name)
        if definition is None:
            continue
        text = print_ast(applied.node)
        if not definition.repeatable and texts.setdefault(applied.name, text) != text:
            diagnostics.hint(
                Hint.INCONSISTENT_NON_REPEATABLE_DIRECTIVE_ARGUMENTS,
                f"{coordinate}: @{applied.name} has different arguments; the first ones are kept",
                coordinate=coordinate,
                at=[(subgraph.name, applied.node)],
            )
        elif definition.repeatable:
            texts[text] = text
    return list(dict.fromkeys(texts.values()))


def _all_of(alternatives: list[list[list[str]]]) -> list[list[str]]:
    """Return the alternatives of a conjunction of rules: one group of each, joined; supersets are redundant."""
    combined: list[frozenset[str]] = [frozenset()]
    for groups in alternatives:
        combined = [one | frozenset(group) for one in combined for group in groups]
        combined = [one for one in dict.fromkeys(combined) if not any(other < one for other in combined)]
    return [sorted(group) for group in sorted(combined, key=sorted)]


def _hint_merged(
    coordinate: str, found: list[tuple[Subgraph, Applied]], name: str, values: list[Any], diagnostics: Diagnostics
) -> None:
    if len({json.dumps(value, sort_keys=True) for value in values}) > 1:
        diagnostics.hint(
            Hint.MERGED_NON_REPEATABLE_DIRECTIVE_ARGUMENTS,
            f"{coordinate}: @{name} has different arguments, which are merged",
            coordinate=coordinate,
            at=[(subgraph.name, applied.node) for subgraph, applied in found],
        )


def _list_size(coordinate: str, found: list[tuple[Subgraph, Applied]], diagnostics: Diagnostics) -> str:
    arguments = [applied.arguments for _, applied in found]
    _hint_merged(coordinate, found, "listSize", [dict(one) for one in arguments], diagnostics)
    parts = []
    sizes = [one["assumedSize"] for one in arguments if one.get("assumedSize") is not None]
    if sizes:
        parts.append(f"assumedSize: {max(sizes)}")
    for name in ("slicingArguments", "sizedFields"):
        values = list(dict.fromkeys(item for one in arguments for item in one.get(name) or ()))
        if values:
            parts.append(f"{name}: {json.dumps(values)}")
    if any(one.get("requireOneSlicingArgument") is False for one in arguments):
        flag = all(one.get("requireOneSlicingArgument", True) for one in arguments)
        parts.append(f"requireOneSlicingArgument: {json.dumps(flag)}")
    return f"@listSize({', '.join(parts)})"


def _deprecated(coordinate: str, deprecations: list[tuple[Subgraph, Applied]], diagnostics: Diagnostics) -> list[str]:
    if not deprecations:
        return []
    reasons = [str(applied.arguments.get("reason", "No longer supported")) for _, applied in deprecations]
    kept = Counter(reasons).most_common(1)[0][0]
    if len(set(reasons)) > 1:
        source = next(
            subgraph.name for (subgraph, _), reason in zip(deprecations, reasons, strict=True) if reason == kept
        )
        diagnostics.hint(
            Hint.INCONSISTENT_NON_REPEATABLE_DIRECTIVE_ARGUMENTS,
            f"{coordinate}: @deprecated has different reasons; that of {source} is kept",
            coordinate=coordinate,
            at=[(subgraph.name, applied.node) for subgraph, applied in deprecations],
        )
    return [f"@deprecated(reason: {json.dumps(kept, ensure_ascii=False)})"]


def _specified_by(found: list[tuple[Subgraph, Applied]]) -> list[str]:
    urls = [str(applied.arguments.get("url")) for _, applied in found]
    return [f"@specifiedBy(url: {json.dumps(Counter(urls).most_common(1)[0][0])})"] if urls else []
