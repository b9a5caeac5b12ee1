# No postponed annotations: strawberry reads them.
"""What mutations of operations are asked, and what they and subscriptions answer."""

import datetime as dt
from typing import Annotated

import strawberry

from schema.graphql.problems import (
    IdempotencyConflict,
    NotAllowedInState,
    ValidationFailed,
    said_of,
    shared_problem,
)
from schema.operations.process import ProcessInstance
from schema.operations.queues import ExceptionTask
from schema.records import problems

__all__ = ["OpsProblem", "ProcessEvent", "ReplayInput", "ReplayPayload", "TaskEvent", "TaskPayload", "ops_problem"]

OpsProblem = Annotated[
    ValidationFailed | NotAllowedInState | IdempotencyConflict,
    strawberry.union("OpsProblem", description="Why nothing was done."),
]


@strawberry.input(
    description="Dead letters to handle again: these, or all that fit every condition that is given. `to` is exclusive."
)
class ReplayInput:
    """Dead letters to handle again."""

    idempotency_key: str
    dead_letter_ids: list[strawberry.ID] | None = None
    correlation_id: strawberry.ID | None = None
    from_: dt.datetime | None = strawberry.field(name="from", default=None)
    to: dt.datetime | None = None
    types: list[str] | None = None
    dry_run: bool | None = False


@strawberry.type(description="What became of a task.")
class TaskPayload:
    """What became of a task."""

    task: ExceptionTask | None
    problems: list[OpsProblem]


@strawberry.type(description="How many messages or processes are handled again; of a dry run, how many would be.")
class ReplayPayload:
    """What is handled again."""

    accepted: int
    process: ProcessInstance | None
    problems: list[OpsProblem]


@strawberry.type(description="A process changed; it is shown as it is when the event is told.")
class ProcessEvent:
    """A process changed."""

    event_id: strawberry.ID
    at: dt.datetime
    process: ProcessInstance


@strawberry.type(description="A task was opened, claimed or resolved; it is shown as it is when the event is told.")
class TaskEvent:
    """A task changed."""

    event_id: strawberry.ID
    at: dt.datetime
    task: ExceptionTask


def ops_problem(record: problems.Problem) -> ValidationFailed | NotAllowedInState | IdempotencyConflict:
    """Return a problem as a graph value; one that operations have no type for is a broken rule under its own code."""
    shown = shared_problem(record)
    if isinstance(shown, ValidationFailed | NotAllowedInState | IdempotencyConflict):
        return shown
    field = record.path[-1] if record.path else None
    return ValidationFailed(**said_of(record), rule=record.code, field=field)
