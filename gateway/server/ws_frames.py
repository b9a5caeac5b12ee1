"""Texts as WebSocket frames of a server, which are not masked (RFC 6455, section 5.2)."""

from __future__ import annotations

__all__ = ["text_frame"]

_FINAL_TEXT = b"\x81"
_MOST_IN_7_BITS = 125
_MOST_IN_16_BITS = 0xFFFF


def text_frame(text: bytes) -> bytes:
    """Return one whole frame; the text is UTF-8."""
    size = len(text)
    if size <= _MOST_IN_7_BITS:
        return _FINAL_TEXT + size.to_bytes(1) + text
    if size <= _MOST_IN_16_BITS:
        return _FINAL_TEXT + b"\x7e" + size.to_bytes(2) + text
    return _FINAL_TEXT + b"\x7f" + size.to_bytes(8) + text
