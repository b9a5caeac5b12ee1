# No postponed annotations: strawberry reads them.
"""The directive of subscriptions that go on after the last event seen."""

import strawberry
from strawberry.schema_directive import Location

__all__ = ["Resumable"]


@strawberry.federation.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="resumable",
    compose=True,
    import_url="https://crossdock.example/resumable/v1.0",
)
class Resumable:
    """Each event holds its cursor in the field `cursor`; `argument` takes the cursor after which the stream goes on."""

    cursor: str
    argument: str
