"""What is in the way of an address is said with what to do about it."""

from __future__ import annotations

import socket

import pytest

from gateway.errors import ConfigError
from gateway.server.listening import listen


def test_port_0_takes_a_free_one():
    with listen("127.0.0.1", 0) as first, listen("127.0.0.1", 0) as second:
        assert first.getsockname()[1] != second.getsockname()[1]


def test_an_address_in_use_is_named():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use; .*: end it"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(PermissionError(13, "Permission denied"), "take a port above 1023", id="no right to"),
        pytest.param(
            OSError(99, "Cannot assign"), "this machine has no such address", id="an address of another machine"
        ),
        pytest.param(socket.gaierror(-2, "Name or service not known"), "nothing has this name", id="an unknown name"),
        pytest.param(OSError(24, "Too many open files"), ":1: Too many open files", id="anything else"),
    ],
)
def test_other_faults_say_what_to_do(monkeypatch, fault, words):
    def refuse(*_: object, **__: object) -> socket.socket:
        raise fault

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(ConfigError, match=words):
        listen("gateway.example", 1)
