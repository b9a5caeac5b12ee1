"""Why a stream cannot go on where a client left off."""

from __future__ import annotations

from schema.graphql.errors import GraphError

__all__ = ["Gap"]


class Gap(GraphError):
    """Events after the cursor may have been missed, because the log does not hold it (any more)."""

    code = "GAP"

    def __init__(self, cursor: str) -> None:
        super().__init__(
            f"event {cursor!r} is not in the log (any more), events after it may have been missed: "
            "read the current state, then subscribe without after"
        )
