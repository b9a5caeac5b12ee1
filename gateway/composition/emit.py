"""Write the merged schema as a supergraph document (join v0.5)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from graphql import print_ast
from graphql.language.block_string import print_block_string

from gateway.composition.merge.merged import MergedDirective, MergedField, MergedInput, MergedSchema, MergedType
from gateway.composition.merge.wording import graph_name
from gateway.composition.subgraph_set import Subgraph

__all__ = ["emit"]

_HEAD = """\
directive @join__directive(graphs: [join__Graph!], name: String!, args: join__DirectiveArguments) repeatable on SCHEMA | OBJECT | INTERFACE | FIELD_DEFINITION

directive @join__enumValue(graph: join__Graph!) repeatable on ENUM_VALUE

directive @join__field(graph: join__Graph, requires: join__FieldSet, provides: join__FieldSet, type: String, external: Boolean, override: String, usedOverridden: Boolean, overrideLabel: String, contextArguments: [join__ContextArgument!]) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION

directive @join__graph(name: String!, url: String!) on ENUM_VALUE

directive @join__implements(graph: join__Graph!, interface: String!) repeatable on OBJECT | INTERFACE

directive @join__type(graph: join__Graph!, key: join__FieldSet, extension: Boolean! = false, resolvable: Boolean! = true, isInterfaceObject: Boolean! = false) repeatable on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR

directive @join__unionMember(graph: join__Graph!, member: String!) repeatable on UNION

directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA

scalar join__DirectiveArguments

scalar join__FieldSet

scalar join__FieldValue

scalar link__Import

input join__ContextArgument {
  name: String!
  type: String!
  context: String!
  selection: join__FieldValue!
}

enum link__Purpose {
  "Features with this purpose are needed to resolve fields securely."
  SECURITY
  "Features with this purpose are needed to execute operations."
  EXECUTION
}"""  # noqa: E501 - the definitions are fixed by the join specification

_EVERYWHERE = (
    "FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT"
    " | INPUT_FIELD_DEFINITION"
)
_OUTPUT = "FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM"
_TAG = f"directive @tag(name: String!) repeatable on {_EVERYWHERE} | SCHEMA"
_INACCESSIBLE = f"directive @inaccessible on {_EVERYWHERE}"
_AUTHENTICATED = f"directive @authenticated on {_OUTPUT}"
_SCOPES = (
    f"directive @requiresScopes(scopes: [[requiresScopes__Scope!]!]!) on {_OUTPUT}\n\nscalar requiresScopes__Scope"
)
_POLICY = f"directive @policy(policies: [[policy__Policy!]!]!) on {_OUTPUT}\n\nscalar policy__Policy"
_CONTEXT = (
    "directive @context(name: String!) repeatable on INTERFACE | OBJECT | UNION\n\n"
    "directive @context__fromContext(field: context__ContextFieldValue) on ARGUMENT_DEFINITION\n\n"
    "scalar context__ContextFieldValue"
)
_COST = (
    "directive @cost(weight: Int!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT"
    " | SCALAR\n\ndirective @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!],"
    " requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION"
)
_FEATURES = {
    "tag": ('@link(url: "https://specs.apollo.dev/tag/v0.3")', _TAG),
    "inaccessible": ('@link(url: "https://specs.apollo.dev/inaccessible/v0.2", for: SECURITY)', _INACCESSIBLE),
    "authenticated": ('@link(url: "https://specs.apollo.dev/authenticated/v0.1", for: SECURITY)', _AUTHENTICATED),
    "requiresScopes": ('@link(url: "https://specs.apollo.dev/requiresScopes/v0.1", for: SECURITY)', _SCOPES),
    "policy": ('@link(url: "https://specs.apollo.dev/policy/v0.1", for: SECURITY)', _POLICY),
    "context": ('@link(url: "https://specs.apollo.dev/context/v0.1", for: SECURITY)', _CONTEXT),
    "cost": ('@link(url: "https://specs.apollo.dev/cost/v0.1", import: ["@cost", "@listSize"])', _COST),
    "cacheTag": ('@link(url: "https://specs.apollo.dev/cacheTag/v0.1", for: EXECUTION)', ""),
}


def emit(schema: MergedSchema, subgraphs: Sequence[Subgraph]) -> str:
    """Return the supergraph document; the same schema always gives the same text."""
    features = [name for name in _FEATURES if name in schema.features]
    links = [
        '@link(url: "https://specs.apollo.dev/link/v1.0")',
        '@link(url: "https://specs.apollo.dev/join/v0.5", for: EXECUTION)',
        *(_FEATURES[name][0] for name in features),
        *schema.composed_links,
    ]
    roots = [
        name for name in ("Query", "Mutation", "Subscription") if name in schema.types and schema.types[name].fields
    ]
    head = "\n".join(f"  {link}" for link in links)
    body = "\n".join(f"  {name.lower()}: {name}" for name in roots)
    parts = [
        _describe(schema.description, "") + f"schema\n{head}\n{{\n{body}\n}}",
        _HEAD,
        *(_FEATURES[name][1] for name in features if _FEATURES[name][1]),
        *(print_ast(node) for _, node in sorted(schema.composed_directives.items())),
        *(_directive(one) for _, one in sorted(schema.directives.items())),
        _graphs(subgraphs),
        *(_type(item) for _, item in sorted(schema.types.items()) if item.kind != "object" or item.fields),
    ]
    return "\n\n".join(parts) + "\n"


def _graphs(subgraphs: Sequence[Subgraph]) -> str:
    values = "\n".join(
        f"  {graph_name(one.name)} @join__graph(name: {json.dumps(one.name)}, url: {json.dumps(one.url)})"
        for one in subgraphs
    )
    return f"enum join__Graph {{\n{values}\n}}"


def _type(item: MergedType) -> str:
    head = {
        "object": "type",
        "interface": "interface",
        "union": "union",
        "enum": "enum",
        "scalar": "scalar",
        "input": "input",
    }[item.kind]
    text = _describe(item.description, "") + f"{head} {item.name}"
    if item.interfaces:
        text += " implements " + " & ".join(item.interfaces)
    text += "".join(f"\n  {directive}" for directive in (*item.joins, *item.applied))
    if item.kind == "union":
        return f"{text}\n  = {' | '.join(item.types)}"
    lines: Iterable[str] = ()
    if item.kind in {"object", "interface"}:
        lines = [_field(field) for field in item.fields.values()]
    elif item.kind == "input":
        lines = [_describe(one.description, "  ") + f"  {_input(one)}" for one in item.inputs.values()]
    elif item.kind == "enum":
        lines = [
            _describe(one.description, "  ") + "  " + " ".join([one.name, *one.joins, *one.applied])
            for one in item.values.values()
        ]
    body = "\n".join(lines)
    return f"{text}\n{{\n{body}\n}}" if body else text


def _directive(one: MergedDirective) -> str:
    repeatable = " repeatable" if one.is_repeatable else ""
    head = f"directive @{one.name}{_arguments(one.arguments, '')}{repeatable} on {' | '.join(one.locations)}"
    return _describe(one.description, "") + head


def _arguments(arguments: Mapping[str, MergedInput], indent: str) -> str:
    if not arguments:
        return ""
    if not any(one.description for one in arguments.values()):
        return "(" + ", ".join(_input(one) for one in arguments.values()) + ")"
    inner = "\n".join(
        _describe(one.description, f"{indent}  ") + f"{indent}  {_input(one)}" for one in arguments.values()
    )
    return f"(\n{inner}\n{indent})"


def _field(field: MergedField) -> str:
    arguments = _arguments(field.arguments, "  ")
    directives = "".join(f" {one}" for one in (*field.joins, *field.applied))
    return _describe(field.description, "  ") + f"  {field.name}{arguments}: {print_ast(field.type)}{directives}"


def _input(one: MergedInput) -> str:
    default = f" = {print_ast(one.default)}" if one.default is not None else ""
    return f"{one.name}: {print_ast(one.type)}{default}" + "".join(f" {item}" for item in (*one.joins, *one.applied))


def _describe(text: str | None, indent: str) -> str:
    if not text:
        return ""
    block = print_block_string(text)
    return "\n".join(indent + line if line else line for line in block.split("\n")) + "\n"
