"""What was refused for want of a right, for the audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import structlog
from graphql import FieldNode, GraphQLError

from schema.graphql.errors import Forbidden
from schema.records.audit import AuditEntry
from schema.records.identity import Principal
from subgraphs.errors import cause_of
from systems.errors import ConnectorError

__all__ = ["RefusalLog", "note_refusals"]

_log = structlog.get_logger("crossdock.subgraph")


class RefusalLog(Protocol):
    """Keeps who was refused what."""

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """Append entries."""
        ...


async def note_refusals(audit: RefusalLog, principal: Principal, errors: Sequence[GraphQLError]) -> None:
    """Append an entry for every refusal among the errors of an answer.

    When the audit cannot be written the refusal stands all the same, and the log says so.
    """
    entries = [
        AuditEntry(principal.subject, _field_of(error), "REFUSED", after={"message": error.message})
        for error in errors
        if isinstance(cause_of(error), Forbidden)
    ]
    if not entries:
        return
    try:
        await audit.append(entries)
    except ConnectorError as failure:
        _log.error("a refusal is not in the audit", actor=principal.subject, error=str(failure))


def _field_of(error: GraphQLError) -> str:
    """Return the name of the field that was refused, whatever the answer calls it."""
    node = error.nodes[0] if error.nodes else None
    return node.name.value if isinstance(node, FieldNode) else "unknown"
