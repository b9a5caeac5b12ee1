"""Build a gateway over subgraphs in a test: in this process or behind sockets, served or called directly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.bootstrap import Gateway, build_gateway
from gateway.composition import SubgraphSource, compose_or_raise
from gateway.config import settings_from
from gateway.extensions import Extension
from gateway.server.principal import Identity
from gateway.transport.base import SubgraphTransport
from gateway.transport.inprocess import InProcessTransport
from tests.support.serving import serve_asgi
from tests.support.shop import SCHEMAS, shop_app


@dataclass(frozen=True)
class TestSubgraphs:
    """Subgraphs by name with their SDL and application."""

    __test__ = False

    sdl: Mapping[str, str]
    apps: Mapping[str, Any]

    @classmethod
    def shop(cls) -> TestSubgraphs:
        return cls(
            {name: schema.as_str() for name, schema in SCHEMAS.items()}, {name: shop_app(name) for name in SCHEMAS}
        )

    def without(self, name: str) -> TestSubgraphs:
        """Return the same with one subgraph that is down."""

        async def down(scope: Any, receive: Any, send: Any) -> None:
            raise ConnectionError("down")

        return replace(self, apps={**self.apps, name: down})

    def compose(self, addresses: Mapping[str, str]) -> str:
        sources = [SubgraphSource(name=name, url=addresses[name], sdl=sdl) for name, sdl in self.sdl.items()]
        return str(compose_or_raise(sources).supergraph)


@dataclass(frozen=True)
class TestGateway:
    """A gateway to be built; every method returns a changed copy."""

    __test__ = False

    subgraphs: TestSubgraphs
    behind_sockets: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    identity: Identity | None = None
    extensions: Sequence[Extension] = ()

    def with_settings(self, **sections: Any) -> TestGateway:
        return replace(self, settings={**self.settings, **sections})

    def with_identity(self, identity: Identity) -> TestGateway:
        return replace(self, identity=identity)

    def with_extensions(self, *extensions: Extension) -> TestGateway:
        return replace(self, extensions=extensions)

    @asynccontextmanager
    async def build(self) -> AsyncIterator[Gateway]:
        """Yield the gateway, to be called without a server."""
        async with AsyncExitStack() as stack:
            addresses = dict.fromkeys(self.subgraphs.sdl, "http://subgraph.invalid/graphql")
            transports: dict[str, SubgraphTransport] | None = None
            if self.behind_sockets:
                for name, app in self.subgraphs.apps.items():
                    addresses[name] = await stack.enter_async_context(serve_asgi(app)) + "/graphql"
            else:
                transports = {name: InProcessTransport(name, app) for name, app in self.subgraphs.apps.items()}
            settings = settings_from(self.settings, {})
            sdl = self.subgraphs.compose(addresses)
            built = build_gateway(sdl, transports, settings, self.identity, self.extensions)
            yield await stack.enter_async_context(built)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Yield the address of the served gateway."""
        async with self.build() as gateway, serve_asgi(gateway.asgi) as address:
            yield address
