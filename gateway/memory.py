"""Memory that the C library's allocator gives back to the system.

The GNU C library learns by itself from which size on a block is mapped alone, and how much freed memory it holds on to:
a few large requests teach it to hold on to tens of MiB, whose pages are touched one after the other. That looks like a
leak for as long as requests differ in size.
"""

from __future__ import annotations

import ctypes
import os

__all__ = ["give_back_freed_memory"]

_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
"""Numbers of ``mallopt`` in the GNU C library."""

HELD_BYTES = 4 * 1024 * 1024
"""Freed memory that is held on to for what comes next; giving back less would cost a system call for each request."""

MAPPED_BYTES = 1024 * 1024
"""Blocks from this size on are mapped alone and go when they are freed; few answers are as large."""

_CHOSEN_BY = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def give_back_freed_memory() -> bool:
    """Let freed memory go back to the system, and return whether that was set.

    It is not under another C library, nor where the environment chooses the thresholds.
    """
    if any(name in os.environ for name in _CHOSEN_BY):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # Windows, macOS, musl
        return False
    return bool(set_option(_MMAP_THRESHOLD, MAPPED_BYTES) and set_option(_TRIM_THRESHOLD, HELD_BYTES))
