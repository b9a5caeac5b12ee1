"""Code of the operator's own inside the gateway: hooks into the way of each operation.

An extension subclasses :class:`Extension` and has the hooks that it needs; the others cost nothing.
See ``docs/how-to/extensions.md``.
"""

from gateway.extensions.extension import Extension
from gateway.extensions.facts import Answer, Fetch, Fetched, Plan, Request
from gateway.extensions.headers import EditableHeaders
from gateway.extensions.refusal import Refused

__all__ = ["Answer", "EditableHeaders", "Extension", "Fetch", "Fetched", "Plan", "Refused", "Request"]
