"""The transports of one supergraph, opened and closed together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from gateway.transport.base import SubgraphTransport

__all__ = ["TransportRegistry"]


class TransportRegistry(Mapping[str, SubgraphTransport]):
    """Transport by subgraph name."""

    def __init__(self, transports: Mapping[str, SubgraphTransport]) -> None:
        self._transports = dict(transports)

    def __getitem__(self, subgraph: str) -> SubgraphTransport:
        return self._transports[subgraph]

    def __iter__(self) -> Iterator[str]:
        return iter(self._transports)

    def __len__(self) -> int:
        return len(self._transports)

    async def aclose(self, keep: Collection[str] = ()) -> None:
        """Close every transport but those of ``keep``; one that fails to close does not keep the others open.

        Raises:
            ExceptionGroup: what failed while closing.
        """
        faults: list[Exception] = []
        for name, transport in self._transports.items():
            if name in keep:
                continue
            try:
                await transport.aclose()
            except Exception as error:  # noqa: BLE001 - collected and raised together below
                faults.append(error)
        if faults:
            raise ExceptionGroup("transports failed to close", faults)
