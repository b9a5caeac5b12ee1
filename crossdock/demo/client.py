"""A small client for the tour: requests and event streams of the gateway, switches of the sandboxes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx

__all__ = ["GraphClient", "SandboxSwitch", "TourError"]

ANSWER_S = 20.0
"""Longest wait for one answer."""


class TourError(Exception):
    """The graph did not do what the tour shows; the text is for the person before the terminal."""


class GraphClient:
    """Talks to a gateway as any client would."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/graphql"
        self._http = httpx.AsyncClient(timeout=ANSWER_S, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def ask(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the data of a query or mutation.

        Raises:
            TourError: there is no answer, or one with errors.
        """
        try:
            answer = await self._http.post(self._url, json={"query": query, "variables": variables})
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise TourError(f"the gateway did not answer: {type(error).__name__}") from error
        if body.get("errors") or not body.get("data"):
            raise TourError("; ".join(error["message"] for error in body.get("errors", [])) or "no data")
        data: dict[str, Any] = body["data"]
        return data

    @asynccontextmanager
    async def follow(self, query: str, variables: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Subscribe over server-sent events; yields the data of each event as it comes.

        Raises:
            TourError: the subscription is refused.
        """
        request = {"query": query, "variables": variables}
        headers = {"accept": "text/event-stream"}
        endless = httpx.Timeout(ANSWER_S, read=None)
        async with self._http.stream("POST", self._url, json=request, headers=headers, timeout=endless) as answer:
            if answer.status_code != httpx.codes.OK:
                raise TourError(f"the subscription is refused: {(await answer.aread()).decode()}")
            yield _events(answer)


async def _events(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    event = ""
    async for line in answer.aiter_lines():
        if line.startswith("event:"):
            event = line.removeprefix("event:").strip()
        elif line.startswith("data:") and event == "next":
            result = json.loads(line.removeprefix("data:"))
            if result.get("data"):
                yield result["data"]
        elif event == "complete":
            return


class SandboxSwitch:
    """Sets faults and clocks of the sandboxes.

    Args:
        addresses: by sandbox name.
    """

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses

    async def faults(self, name: str, profile: Mapping[str, Any]) -> None:
        """Let a sandbox misbehave."""
        await self._put(name, "faults", profile)

    async def speed(self, name: str, speed: float) -> None:
        """Let a sandbox's clock run ``speed`` times as fast as ours."""
        await self._put(name, "clock", {"speed": speed})

    async def _put(self, name: str, what: str, body: Mapping[str, Any]) -> None:
        async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as http:
            (await http.put(f"{self._addresses[name]}/_sandbox/{what}", json=dict(body))).raise_for_status()
