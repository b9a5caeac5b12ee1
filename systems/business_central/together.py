"""Questions that come up at about the same time travel together: one call for all of them.

A page that shows a customer asks for its orders, invoices and open value at once, in three places that know nothing of
each other. One question alone, when it is short, is a plain GET; more are one ``$batch`` per 100, in which each part
fails by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from schema.enums import SourceSystem
from systems.deadline import OutOfTime, left_s, waiting_until
from systems.errors import ConnectorError

__all__ = ["MAX_BATCH", "TURNS", "Answers", "Together"]

TURNS = 20
"""Turns of the event loop that a question waits for others. What one request asks for at once comes up within a few of
them, however long the work in between takes; when nothing else is to be done they pass in a fraction of a millisecond.
"""

MAX_BATCH = 100
"""Questions of one batch, the vendor's limit."""

Answers = Sequence[Any | ConnectorError]
Ask = Callable[[str, Sequence[str]], Awaitable[Answers]]
"""Sends paths in one call and returns what each brought, in their order.

Raises:
    ConnectorError: the call failed as a whole.
"""


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    operation: str
    path: str
    answer: asyncio.Future[Any]


class Together:
    """Collects questions for a moment and asks them together."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._waiting: list[_Question] = []
        self._calls: set[asyncio.Task[None]] = set()

    async def bodies(self, operation: str, paths: Sequence[str]) -> list[Any]:
        """Return what each path brings, in their order.

        Raises:
            ConnectorError: the first failure among them.
        """
        loop = asyncio.get_running_loop()
        asked = [_Question(operation, path, loop.create_future()) for path in paths]
        if not self._waiting:
            loop.call_soon(self._go, TURNS)
        self._waiting += asked
        try:
            async with asyncio.timeout(left_s()):
                found = await asyncio.gather(*(question.answer for question in asked), return_exceptions=True)
        except TimeoutError as error:
            raise OutOfTime(SourceSystem.CLOUD_ERP, operation) from error
        for body in found:
            if isinstance(body, BaseException):
                raise body
        return found

    def _go(self, turns: int) -> None:
        if turns > 0:
            asyncio.get_running_loop().call_soon(self._go, turns - 1)
            return
        waiting, self._waiting = self._waiting, []
        wanted = [question for question in waiting if not question.answer.done()]
        for start in range(0, len(wanted), MAX_BATCH):
            call = asyncio.get_running_loop().create_task(self._send(wanted[start : start + MAX_BATCH]))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _send(self, questions: Sequence[_Question]) -> None:
        operation = ", ".join(dict.fromkeys(question.operation for question in questions))
        try:
            with waiting_until(None):  # those who ask together wait for as long as each of them does
                bodies = await self._ask(operation, [question.path for question in questions])
        except BaseException as error:
            _settle(questions, [error] * len(questions))
            if not isinstance(error, ConnectorError):
                raise
        else:
            _settle(questions, bodies)


def _settle(questions: Sequence[_Question], bodies: Sequence[Any]) -> None:
    for question, body in zip(questions, bodies, strict=True):
        if question.answer.done():
            continue
        if isinstance(body, asyncio.CancelledError):
            question.answer.cancel()
        elif isinstance(body, BaseException):
            question.answer.set_exception(body)
        else:
            question.answer.set_result(body)
