"""What ours overrides of uvicorn is there, and another uvicorn is refused with what it lacks."""

from __future__ import annotations

import inspect

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.server.connections import _Protocol
from gateway.server.graceful import GracefulServer
from gateway.server.lean_uvicorn import _BUILT_ON, LeanHttpProtocol, LeanWebSocketProtocol, check_built_on


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (LeanHttpProtocol, HttpToolsProtocol),
        (_Protocol, HttpToolsProtocol),
        (LeanWebSocketProtocol, WebSocketsSansIOProtocol),
        (GracefulServer, uvicorn.Server),
    ],
)
def test_every_method_of_theirs_that_ours_overrides_is_checked_at_import(ours, theirs):
    overridden = {name for name, _ in inspect.getmembers(ours, inspect.isfunction) if name in vars(ours)}
    overridden = {name for name in overridden if hasattr(theirs, name) and not name.startswith("__")}
    assert overridden
    assert overridden <= set(_BUILT_ON[theirs])


def test_a_method_that_is_gone_is_named():
    class Changed:
        send = None

    with pytest.raises(
        ImportError, match=r"uvicorn \S+ has no Changed.send, Changed.receive, which the gateway is built"
    ):
        check_built_on({Changed: ("send", "receive")})
