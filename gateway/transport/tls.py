"""Certificates read from files and checked then, so that a mistake shows at start and not at the first request.

A file that cannot be used is named with its key of the settings. Files that are being rotated may not fit together for
a moment: they are then refused as a whole.
"""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

from gateway.config.tls import ServerTls, SubgraphTls
from gateway.errors import ConfigError

__all__ = ["SubgraphTlsContext", "check_server_tls"]


class SubgraphTlsContext:
    """How one subgraph is believed, and how the gateway shows who it is.

    Attributes:
        context: for new connections.
        server_name: name that the certificate must be for, None for the host.
        fingerprint: the same for the same files with the same content; two with the same one are equal.

    Raises:
        ConfigError: a file cannot be used.
    """

    def __init__(self, subgraph: str, settings: SubgraphTls) -> None:
        where = f"subgraphs.{subgraph}.tls"
        ca, certificate, key = settings.ca, settings.certificate, settings.key
        content = [_read(f"{where}.ca", ca)] if ca is not None else []
        try:
            context = ssl.create_default_context(cafile=ca)
        except ssl.SSLError as error:
            raise ConfigError(f"{where}.ca: {ca} holds no certificate in PEM ({error.reason})") from error
        context.set_alpn_protocols(["http/1.1"])
        if certificate is not None and key is not None:
            content += _load_pair(context, where, certificate, key)
        self.context = context
        self.server_name = settings.server_name
        self.fingerprint = hashlib.sha256(b"\0".join(content)).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SubgraphTlsContext) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, str | None]:
        return self.fingerprint, self.server_name


def check_server_tls(settings: ServerTls) -> None:
    """Raise ConfigError when the server cannot use its certificate and key."""
    _load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "server.tls", settings.certificate, settings.key)


def _load_pair(context: ssl.SSLContext, where: str, certificate: Path, key: Path) -> list[bytes]:
    """Take a certificate and its key, and return what the files hold."""
    content = [_read(f"{where}.certificate", certificate), _read(f"{where}.key", key)]
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except _Encrypted as error:
        raise ConfigError(f"{where}.key: {key} is encrypted; a key without a password is needed") from error
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"{where}.key: {key} does not belong to the certificate {certificate}") from error
        said = f"{certificate} and {key} are no certificate and key in PEM ({error.reason})"
        raise ConfigError(f"{where}.certificate: {said}") from error
    return content


class _Encrypted(Exception):
    """A key asks for its password."""


def _no_password() -> str:
    """Keep a key from asking at the terminal."""
    raise _Encrypted


def _read(key: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{key}: {path} cannot be read: {error.strerror}") from error
