# No postponed annotations: strawberry reads them.
"""The directive of mutations that a client may send twice."""

import strawberry
from strawberry.schema_directive import Location

__all__ = ["Idempotent"]


@strawberry.federation.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="idempotent",
    compose=True,
    import_url="https://crossdock.example/idempotent/v1.0",
)
class Idempotent:
    """`key` is where the client's key lies: an argument, then fields of its value. One key is one answer."""

    key: str
