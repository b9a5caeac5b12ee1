"""Take the address that a program serves at, or say what is in the way and what to do about it."""

from __future__ import annotations

import errno
import os
import socket

from gateway.errors import ConfigError

__all__ = ["listen"]

_BACKLOG = 2048
"""Connections that may wait to be taken, as many as servers usually have."""

_ADVICE = {
    errno.EADDRINUSE: "another program listens there: end it, or take another port (0 for a free one)",
    errno.EACCES: "this user may not listen there: take a port above 1023, or give the program the right to",
    errno.EADDRNOTAVAIL: "this machine has no such address: take one that it has, or 0.0.0.0 or :: for all of them",
}


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises:
        ConfigError: the address cannot be taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        # its own text names the address again, in the form of the programming language
        number = error.errno or 0
        if number < 0:
            said = "nothing has this name; give an address of this machine"
        else:
            advice = _ADVICE.get(number)
            said = os.strerror(number) if advice is None else f"{os.strerror(number)}; {advice}"
        raise ConfigError(f"cannot listen on {host}:{port}: {said}") from error
