"""A subgraph that takes files by the multipart request specification, and tells when it saw which part of them."""

from __future__ import annotations

import asyncio
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import orjson

FILES_SDL = """
scalar Upload
type Query { ready: Boolean }
type Mutation { store(file: Upload!, note: String): Stored storeAll(files: [Upload!]!, inside: Inside): Stored }
input Inside { file: Upload }
type Stored { texts: [String!]! operations: String! contentType: String! }
"""


class FileSubgraph:
    """An ASGI application."""

    def __init__(self) -> None:
        self.requests = 0
        self.bytes_seen = 0
        self.saw_bytes = asyncio.Event()
        self.was_cut_off = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.requests += 1
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                self.was_cut_off.set()
                return
            body += message.get("body", b"")
            self.bytes_seen = len(body)
            self.saw_bytes.set()
            if not message.get("more_body"):
                break
        content_type = dict(scope["headers"])[b"content-type"]
        data = orjson.dumps({"data": self._store(content_type, body)})
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": data})

    @staticmethod
    def _store(content_type: bytes, body: bytes) -> dict[str, Any]:
        message = BytesParser(policy=HTTP).parsebytes(b"content-type: " + content_type + b"\r\n\r\n" + body)
        fields = {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}
        operations = orjson.loads(fields.pop("operations").get_content())
        file_map = orjson.loads(fields.pop("map").get_content())
        assert set(file_map) == set(fields)
        for paths in file_map.values():
            for path in paths:
                value: Any = operations
                for step in path.split("."):
                    value = value[int(step)] if isinstance(value, list) else value[step]
                assert value is None
        stored = {
            "texts": [fields[name].get_payload(decode=True).decode() for name in sorted(fields)],
            "operations": orjson.dumps(operations["variables"]).decode(),
            "contentType": content_type.decode(),
        }
        return {"storeAll" if "storeAll" in operations["query"] else "store": stored}
