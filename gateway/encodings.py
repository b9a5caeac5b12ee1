"""Content codings: which one a client takes, and packing and unpacking by gzip, Brotli and Zstandard.

Unpacking takes the most bytes that may come out, so that a small body cannot fill the memory.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["CorruptBody", "Encoding", "Packer", "choose_encoding", "pack", "packer", "read_encoding", "unpack"]

Encoding = Literal["zstd", "br", "gzip"]

_GZIP_LEVEL, _BROTLI_QUALITY, _ZSTD_LEVEL = 1, 3, 1
"""Answers are written once and read once: higher levels cost more time here than they save on the way."""

_GZIP = zlib.MAX_WBITS | 16

_SMALL_WINDOW_BITS, _SMALL_MEMORY = 12, 5
"""Of streams that stay open for long: 32 KiB each instead of 256, for messages that are much alike."""

_BROTLI_WINDOW_BITS = 18
"""256 KiB, more than most answers have; the library's own choice of 4 MiB is set up for each."""

_ALIASES = {"x-gzip": "gzip"}

MAX_REMEMBERED_BYTES = 1024
"""Longest ``Accept-Encoding`` whose outcome is remembered; clients send some dozen bytes."""


class CorruptBody(ValueError):
    """The body is not what its content coding says, or is cut off."""


class Packer(Protocol):
    """Packs one body that comes in pieces."""

    def write(self, piece: bytes) -> bytes:
        """Return what to send so that the other side can read up to the end of the piece."""
        ...

    def end(self) -> bytes:
        """Return what closes the body."""
        ...


def choose_encoding(accept_encoding: bytes, offered: tuple[Encoding, ...]) -> Encoding | None:
    """Return the offered coding that an ``Accept-Encoding`` header wants most, None to send the body as it is.

    Between equal weights the first one offered wins, and a coding before none at all.

    Source: RFC 9110, 12.5.3.
    """
    find = _remembered if len(accept_encoding) <= MAX_REMEMBERED_BYTES else _choose
    return find(accept_encoding, offered)


def _choose(accept_encoding: bytes, offered: tuple[Encoding, ...]) -> Encoding | None:
    weights: dict[str, float] = {}
    for part in accept_encoding.decode("latin-1").lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weights[_ALIASES.get(name, name)] = _weight(parameters)
    others = weights.get("*", 0.0)
    found = max(offered, key=lambda name: weights.get(name, others), default=None)
    if found is None:
        return None
    wanted = weights.get(found, others)
    return found if wanted > 0 and wanted >= weights.get("identity", 0.0) else None


_remembered = lru_cache(maxsize=256)(_choose)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def read_encoding(header: str) -> Encoding | None:
    """Return the coding that a ``Content-Encoding`` header names, None for a body as it is.

    Raises:
        ValueError: it names another one, or several.
    """
    name = header.strip().lower()
    name = _ALIASES.get(name, name)
    if name in {"", "identity"}:
        return None
    if name in _UNPACK:
        return name  # type: ignore[return-value]
    raise ValueError(name)


def pack(encoding: Encoding, body: bytes) -> bytes:
    """Return a whole body packed."""
    if encoding == "gzip":
        return zlib.compress(body, _GZIP_LEVEL, _GZIP)
    if encoding == "br":
        return bytes(brotli.compress(body, quality=_BROTLI_QUALITY, lgwin=_BROTLI_WINDOW_BITS))
    return zstd.compress(body, _ZSTD_LEVEL)


def packer(encoding: Encoding, *, is_long: bool = False) -> Packer:
    """Return what packs one body piece by piece; one that ``is_long`` open takes little memory, and must be gzip."""
    if encoding == "gzip":
        return _Gzip(is_long=is_long)
    return _Brotli() if encoding == "br" else _Zstd()


class _Gzip:
    def __init__(self, *, is_long: bool) -> None:
        bits, memory = (_SMALL_WINDOW_BITS | 16, _SMALL_MEMORY) if is_long else (_GZIP, zlib.DEF_MEM_LEVEL)
        self._packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, bits, memory)

    def write(self, piece: bytes) -> bytes:
        return self._packer.compress(piece) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._packer.flush()


class _Brotli:
    def __init__(self) -> None:
        self._packer = brotli.Compressor(quality=_BROTLI_QUALITY, lgwin=_BROTLI_WINDOW_BITS)

    def write(self, piece: bytes) -> bytes:
        return bytes(self._packer.process(piece) + self._packer.flush())

    def end(self) -> bytes:
        return bytes(self._packer.finish())


class _Zstd:
    def __init__(self) -> None:
        self._packer = zstd.ZstdCompressor(_ZSTD_LEVEL)

    def write(self, piece: bytes) -> bytes:
        return self._packer.compress(piece, zstd.ZstdCompressor.FLUSH_BLOCK)

    def end(self) -> bytes:
        return self._packer.flush()


def unpack(encoding: Encoding, body: bytes, max_bytes: int) -> bytes:
    """Return a whole body unpacked.

    Raises:
        OverflowError: more than ``max_bytes`` come out.
        CorruptBody: it is not of this coding, cut off, or followed by something else.
    """
    try:
        found, is_whole = _UNPACK[encoding](body, max_bytes + 1)
    except (zlib.error, brotli.error, zstd.ZstdError, EOFError) as error:
        raise CorruptBody(f"the body is not {encoding}") from error
    if len(found) > max_bytes:
        raise OverflowError
    if not is_whole:
        raise CorruptBody(f"the {encoding} body is cut off, or something follows it")
    return found


def _gunzip(body: bytes, most: int) -> tuple[bytes, bool]:
    unpacker = zlib.decompressobj(_GZIP)
    return unpacker.decompress(body, most), unpacker.eof and not unpacker.unused_data


def _unbrotli(body: bytes, most: int) -> tuple[bytes, bool]:
    unpacker = brotli.Decompressor()
    found = unpacker.process(body, output_buffer_limit=most)
    return found, unpacker.is_finished()


def _unzstd(body: bytes, most: int) -> tuple[bytes, bool]:
    unpacker = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})
    found = unpacker.decompress(body, most)
    return found, unpacker.eof and not unpacker.unused_data


_ZSTD_WINDOW_LOG = 23
"""8 MiB, what RFC 9659 lets a body on the web ask a reader for."""

_UNPACK: dict[str, Callable[[bytes, int], tuple[bytes, bool]]] = {
    "zstd": _unzstd,
    "br": _unbrotli,
    "gzip": _gunzip,
}
