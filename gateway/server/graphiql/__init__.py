"""GraphiQL for browsers, from files in this package: nothing is loaded from anywhere else.

``graphiql.js`` and ``graphiql.css`` are built by ``scripts/graphiql/build.sh``; ``LICENSES.md`` names what is in them.
"""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.config import ExampleTab

__all__ = ["graphiql_routes"]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The editor positions its marks by inline styles, hence ``unsafe-inline`` for styles; scripts come from files only."""

_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>GraphiQL</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="graphiql/graphiql.css">
</head>
<body>
<div id="graphiql">Loading…</div>
<script type="module" src="graphiql/graphiql.js"></script>
</body>
</html>
"""


def graphiql_routes(path: str, examples: tuple[ExampleTab, ...]) -> list[Route]:
    """Return the page at ``/`` and its files; ``path`` is where the page sends its operations."""
    settings = {"path": path, "examples": [example.model_dump() for example in examples]}

    async def page(_: Request) -> Response:
        return Response(_PAGE, media_type="text/html", headers=_HEADERS)

    async def show_settings(_: Request) -> Response:
        return JSONResponse(settings, headers={"cache-control": "no-cache"})

    return [
        Route("/", page),
        Route("/graphiql/settings.json", show_settings),
        _file("graphiql.js", "text/javascript"),
        _file("graphiql.css", "text/css"),
        _file("LICENSES.md", "text/plain"),
    ]


def _file(name: str, media_type: str) -> Route:
    async def show(_: Request) -> Response:
        content = files(__package__).joinpath(name).read_bytes()
        return Response(content, media_type=media_type, headers={**_HEADERS, "cache-control": "max-age=3600"})

    return Route(f"/graphiql/{name}", show)
