# No postponed annotations: strawberry reads them.
"""Problems that several subgraphs answer with; those of one domain stand beside its types."""

from typing import Any

import strawberry

from schema.enums import PricingConflictReason, SourceSystem
from schema.graphql.values import Money, money
from schema.records import problems

__all__ = [
    "ApprovalRequired",
    "DependencyUnavailable",
    "IdempotencyConflict",
    "NotAllowedInState",
    "PricingConflict",
    "Problem",
    "ValidationFailed",
    "VersionConflict",
    "shared_problem",
]


@strawberry.interface(description="Why something was not done, or not as asked.")
class Problem:
    """What every problem says."""

    code: str
    message: str
    path: list[str] | None
    retryable: bool


@strawberry.federation.type(shareable=True, description="An input breaks a rule.")
class ValidationFailed(Problem):
    """An input breaks a rule."""

    rule: str
    field: str | None


@strawberry.federation.type(shareable=True, description="The key was used before with another payload.")
class IdempotencyConflict(Problem):
    """The key was used before with another payload."""

    original_process_id: strawberry.ID


@strawberry.federation.type(shareable=True, description="The thing has changed since it was read.")
class VersionConflict(Problem):
    """The thing has changed since it was read."""

    current_version: int


@strawberry.federation.type(shareable=True, description="A system that must answer does not.")
class DependencyUnavailable(Problem):
    """A system that must answer does not."""

    system: SourceSystem
    retry_after_seconds: int | None


@strawberry.federation.type(shareable=True, description="The thing's state does not allow the action.")
class NotAllowedInState(Problem):
    """The thing's state does not allow the action."""

    state: str
    allowed: list[str]


@strawberry.federation.type(shareable=True, description="A person must approve.")
class ApprovalRequired(Problem):
    """A person must approve."""

    level: str
    reason: str
    task_id: strawberry.ID | None


@strawberry.federation.type(shareable=True, description="The price cannot be taken as offered.")
class PricingConflict(Problem):
    """The price cannot be taken as offered."""

    sku: str
    expected: Money | None
    current: Money | None
    reason: PricingConflictReason


SharedProblem = (
    ValidationFailed
    | IdempotencyConflict
    | VersionConflict
    | DependencyUnavailable
    | NotAllowedInState
    | ApprovalRequired
    | PricingConflict
)


def shared_problem(record: problems.Problem) -> SharedProblem | None:
    """Return a shared problem as a graph value, None when the record is a problem of one domain."""
    said = said_of(record)
    match record:
        case problems.ValidationFailed():
            return ValidationFailed(**said, rule=record.rule, field=record.field)
        case problems.IdempotencyConflict():
            return IdempotencyConflict(**said, original_process_id=strawberry.ID(record.original_process_id))
        case problems.VersionConflict():
            return VersionConflict(**said, current_version=record.current_version)
        case problems.DependencyUnavailable():
            return DependencyUnavailable(**said, system=record.system, retry_after_seconds=record.retry_after_seconds)
        case problems.NotAllowedInState():
            return NotAllowedInState(**said, state=record.state, allowed=list(record.allowed))
        case problems.ApprovalRequired():
            task_id = None if record.task_id is None else strawberry.ID(record.task_id)
            return ApprovalRequired(**said, level=record.level, reason=record.reason, task_id=task_id)
        case problems.PricingConflict():
            return PricingConflict(
                **said,
                sku=record.sku,
                expected=money(record.expected),
                current=money(record.current),
                reason=record.reason,
            )
    return None


def said_of(record: problems.Problem) -> dict[str, Any]:
    """Return what every problem says, as arguments of its graph type."""
    return {
        "code": record.code,
        "message": record.message,
        "path": None if record.path is None else list(record.path),
        "retryable": record.retryable,
    }
