"""The only place where the gateway's parts are put together.

supergraph text -> Supergraph -> Planner; settings -> transports, identity, endpoints; all of it -> Gateway.
"""

from gateway.bootstrap.build import build_gateway
from gateway.bootstrap.gateway import Gateway
from gateway.bootstrap.upkeep import Origin, Upkeep

__all__ = ["Gateway", "Origin", "Upkeep", "build_gateway"]
