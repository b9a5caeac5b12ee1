"""Extensions that tests look at."""

from __future__ import annotations

from typing import Any

from gateway.extensions import Answer, Extension, Fetch, Fetched, Plan, Refused, Request


class Recorder(Extension):
    """Writes down every hook that ran, and what it was told."""

    def __init__(self, name: str = "recorder", log: list[str] | None = None, *, sees_callers: bool = True) -> None:
        self._name = name
        self.log: list[str] = [] if log is None else log
        self.sees_callers = sees_callers
        self.requests: list[Request] = []
        self.plans: list[Plan] = []
        self.fetches: list[Fetch] = []
        self.outcomes: list[Fetched] = []
        self.answers: list[Answer] = []

    @property
    def name(self) -> str:
        return self._name

    async def open(self) -> None:
        self.log.append(f"{self._name} open")

    async def close(self) -> None:
        self.log.append(f"{self._name} close")

    async def request(self, request: Request) -> None:
        self.log.append(f"{self._name} request")
        self.requests.append(request)

    async def plan(self, request: Request, plan: Plan) -> None:
        self.log.append(f"{self._name} plan")
        self.plans.append(plan)

    async def fetch(self, fetch: Fetch) -> None:
        self.log.append(f"{self._name} fetch {fetch.subgraph}")
        self.fetches.append(fetch)

    def fetched(self, fetch: Fetch, outcome: Fetched) -> None:
        self.log.append(f"{self._name} fetched {fetch.subgraph}")
        self.outcomes.append(outcome)

    async def response(self, request: Request, answer: Answer) -> None:
        self.log.append(f"{self._name} response")
        self.answers.append(answer)


class Guard(Extension):
    """Raises ``error`` for operations named ``Bad`` in one hook, given by its name."""

    def __init__(self, hook: str, error: Exception) -> None:
        self._hook = hook
        self._error = error

    def _meet(self, hook: str, request: Request) -> None:
        if hook == self._hook and request.name == "Bad":
            raise self._error

    async def request(self, request: Request) -> None:
        self._meet("request", request)

    async def plan(self, request: Request, plan: Plan) -> None:
        self._meet("plan", request)

    async def fetch(self, fetch: Fetch) -> None:
        if fetch.subgraph == "reviews":
            self._meet("fetch", fetch.request)

    def fetched(self, fetch: Fetch, outcome: Fetched) -> None:
        self._meet("fetched", fetch.request)

    async def response(self, request: Request, answer: Answer) -> None:
        self._meet("response", request)


class Teller(Extension):
    """Tells subgraphs in ``x-who`` who asks; anybody may see it, so answers must not be mixed up."""

    async def fetch(self, fetch: Fetch) -> None:
        fetch.headers["X-Who"] = fetch.request.principal.subject or "nobody"


class Signer(Extension):
    """Signs in the same way whoever asks."""

    sees_callers = False

    def __init__(self, signature: str = "signed") -> None:
        if not signature:
            raise ValueError("signature must not be empty")
        self.signature = signature

    async def fetch(self, fetch: Fetch) -> None:
        fetch.headers["x-signature"] = self.signature


class Stamp(Extension):
    """Adds its words to every answer."""

    def __init__(self, words: Any = "stamped") -> None:
        self._words = words

    async def response(self, request: Request, answer: Answer) -> None:
        answer.extensions["stamp"] = self._words
        answer.headers["X-Stamp"] = str(self._words)


class Nothing(Extension):
    """Has no hook."""


def refuse_bad(*_: Any) -> Extension:
    """Return an extension from a function."""
    return Guard("request", Refused("not this one"))


not_callable = "no extension"


def no_extension() -> dict[str, str]:
    """Return something else."""
    return {}


class Closed(Extension):
    """Cannot be opened."""

    async def open(self) -> None:
        raise OSError("no key server answers")

    async def request(self, request: Request) -> None:
        """Have a hook, as each must."""
