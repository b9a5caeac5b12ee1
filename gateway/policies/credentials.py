"""Put several ways to show who one is together: the first one that a request uses counts."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import ErrorCode, RequestError
from gateway.server.principal import ANONYMOUS, Identity, Principal, identify

__all__ = ["Credentials"]


class Credentials:
    """An identity made of others; each of these says anonymous for a request that does not use it."""

    def __init__(self, ways: tuple[Identity, ...], *, allows_anonymous: bool) -> None:
        self._ways = ways
        self._allows_anonymous = allows_anonymous

    async def __call__(self, headers: Mapping[str, str]) -> Principal:
        """Return who a request comes from.

        Raises:
            RequestError: UNAUTHENTICATED, what it shows is not valid, or it shows nothing and must.
        """
        for way in self._ways:
            found = await identify(way, headers)
            if found is not ANONYMOUS:
                return found
        if not self._allows_anonymous:
            message = "this gateway serves nobody without credentials; sign in and send a token or a key"
            raise RequestError(ErrorCode.UNAUTHENTICATED, message, http_status=401)
        return ANONYMOUS
