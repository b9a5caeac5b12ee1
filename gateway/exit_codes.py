"""What the exit code of a command says; ``docs/operations.md`` has them for those who start commands."""

from __future__ import annotations

__all__ = ["BAD_INPUT", "INTERRUPTED", "REFUSED"]

REFUSED = 1
"""A correct answer that is no: what was asked about is at fault, not the call."""

BAD_INPUT = 2
"""The command cannot use what it was given: options, settings, files, or the address to serve at."""

INTERRUPTED = 130
"""A second Ctrl-C cut off what was under way; shells say the same of a program that SIGINT ended."""
