"""Refuse what a page of another site can send without asking the gateway first."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.config import CsrfSettings
from gateway.errors import ErrorCode, RequestError

__all__ = ["CsrfPolicy"]

_JSON = "application/json"


class CsrfPolicy:
    """Wants one of the headers for which browsers ask first."""

    def __init__(self, settings: CsrfSettings) -> None:
        self._headers = settings.headers
        self._protects_get = settings.protect_get

    def check_get(self, headers: Mapping[str, str]) -> None:
        """Accept a GET, as far as it is looked at: browsers ask before they send one that says it has JSON, too.

        Raises:
            RequestError: CSRF_PREVENTED.
        """
        if self._protects_get and headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            self.check(headers)

    def check(self, headers: Mapping[str, str]) -> None:
        """Accept a request that has one of the headers.

        Raises:
            RequestError: CSRF_PREVENTED.
        """
        if not any(name in headers for name in self._headers):
            message = f"any web page may send this request; send one of the headers {', '.join(self._headers)} with it"
            raise RequestError(ErrorCode.CSRF_PREVENTED, message, http_status=403)
