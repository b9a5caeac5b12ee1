"""What one client request may cost."""

from __future__ import annotations

from pydantic import Field

from gateway.config.section import Duration, Section

__all__ = ["LimitSettings"]


class LimitSettings(Section):
    """What one client request may cost."""

    max_request_bytes: int = Field(default=1024 * 1024, ge=1024)
    """Largest request body."""
    head_timeout: Duration = 10.0
    """Time in which the head of a request must have come, and in which a new connection must ask something."""
    body_timeout: Duration = 20.0
    """Time in which a body must have come, on top of what it needs at ``min_body_rate``. A sender that is slower gets
    REQUEST_TIMEOUT and is cut."""
    min_body_rate: int = Field(default=1024, ge=1)
    """Bytes a second at which a body may come for as long as it is large."""
    answer_timeout: Duration = 30.0
    """Longest pause of a client that does not read an answer which is written in whole; its connection is cut then.
    Streams have ``subscriptions.slow_client_timeout``."""
    max_connections: int = Field(default=20_000, ge=1)
    """Connections that are open in this process, WebSockets among them; further ones are refused with OVERLOADED."""
    max_upload_bytes: int = Field(default=0, ge=0)
    """Largest body with files (multipart requests), which are passed on to one subgraph as they come; 0 for none."""
    max_batch: int = Field(default=0, ge=0, le=1000)
    """Requests that one JSON array may hold; 0 accepts no arrays."""
    max_tokens: int = Field(default=15_000, ge=1)
    """Most tokens of a document; lexing stops there."""
    max_depth: int = Field(default=50, ge=1, le=50)
    """Deepest nesting of fields, with fragments unfolded."""
    max_height: int = Field(default=20_000, ge=1, le=20_000)
    """Most fields that an operation may select, with fragments unfolded."""
    max_aliases: int = Field(default=300, ge=0)
    """Most aliases, with fragments unfolded."""
    max_root_fields: int = Field(default=100, ge=1)
    """Most fields of the root type, with fragments unfolded."""
    max_directives: int = Field(default=500, ge=0)
    """Most directives, with fragments unfolded."""
    max_introspection_depth: int = Field(default=2, ge=1)
    """Deepest nesting of the lists of introspection: fields, interfaces, possible types, input fields."""
    max_variables_bytes: int = Field(default=512 * 1024, ge=2)
    """Largest variables of one request, as JSON without white space."""
    max_cached_plans: int = Field(default=1000, ge=1)
    """Compiled plans kept, the least recently used go first, and a tenth of them at most for operations that came only
    once; fewer where operations, with their requests to subgraphs, have more than 2 KiB of text on average."""
    max_cached_text_bytes: int = Field(default=64 * 1024, ge=0)
    """Operations with a longer text are planned for each request, so that the cache has a bounded size."""
