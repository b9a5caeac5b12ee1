"""Send hostile requests to a gateway and see that it refuses them, goes on answering, and keeps its memory.

    python bench/hostile.py [requests]      100,000 when nothing else is said

The gateway is a process of its own. Each kind of attack has a share of the requests; the seed is fixed, so that a
run can be repeated. It fails when an answer has a status from 500 other than a 503, when an answer does not
come in time, when a good request between the attacks is not answered, or when memory is not flat: its resident memory
after all requests may be so much more than after the first half, by which time all that is remembered is full.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import sys
import time
from collections import Counter
from collections.abc import Callable

import engine
import orjson
import uvloop
from clients import UPGRADE, frame, post
from served import Gateway, gateway, raise_open_files, report, serve_app, where
from server import ENGINE_SDL, FromMemory

REQUESTS = 100_000
SEED = 4
AT_ONCE = 64
ANSWER_S = 20
"""An answer that takes longer counts as a hang; the machine may be busy with other things."""
GOOD_EVERY = 200
SLOW_SENDERS = 500
SLOW_S = 15
FLOODED_SOCKETS = 50
FLOOD_MESSAGES = 200
WARM = 3000
STEP = 25_000
"""Requests between two looks at the memory; so many fill what is remembered, too."""
FLAT = 0.03
"""Growth over the second half of the requests that is none: the memory of what is under way differs by as much."""
GOOD = post(orjson.dumps({"query": "{ users { id name } }"}))
SETTINGS = {"limits": {"max_upload_bytes": 1024 * 1024, "max_batch": 10}}

Random = random.Random


def query(text: str, **more: object) -> bytes:
    """Return the request of an operation."""
    return post(orjson.dumps({"query": text, **more}))


def fuzzed(rng: Random) -> bytes:
    """Return a document with bytes changed, taken out or doubled."""
    text = bytearray(engine.QUERY.encode())
    for _ in range(rng.randint(1, 12)):
        place = rng.randrange(len(text))
        how = rng.randrange(4)
        if how == 0:
            text[place] = rng.randrange(256)
        elif how == 1:
            del text[place : place + rng.randint(1, 20)]
        elif how == 2:
            text[place:place] = text[place : place + rng.randint(1, 30)]
        else:
            text[place:place] = rng.choice(
                (b"{", b"}", b"(", b")", b"...", b"@", b"$", b'"', b'"""', b"\\u", b"\0", b"[", b"!")
            )
        text = text or bytearray(b"{")
    return query(text.decode("utf-8", "replace"))


def ever_new(rng: Random) -> bytes:
    """Return an operation that is allowed, and comes once."""
    return query(engine.QUERY.replace("Products", f"N{rng.randrange(10**9)}"))


def registered(rng: Random) -> bytes:
    """Return an operation that is registered by its hash, as large as one may be, and is never asked again."""
    text = f"{{ users {{ id }} }} # {rng.randrange(10**9)} " + "x" * rng.randint(1, 60_000)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return query(text, extensions={"persistedQuery": {"version": 1, "sha256Hash": digest}})


def aliases(rng: Random) -> bytes:
    """Return a document of many aliases."""
    return query(
        "{" + " ".join(f"a{rng.randrange(10**6)}_{n}: users {{ id }}" for n in range(rng.randint(50, 1500))) + "}"
    )


def fragment_bomb(rng: Random) -> bytes:
    """Return fragments that double with each level."""
    depth = rng.randint(10, 60)
    parts = [f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(depth)]
    return query("{ ...F0 } " + " ".join(parts) + f" fragment F{depth} on Query {{ users {{ id }} }}")


def overlapping(rng: Random) -> bytes:
    """Return equal fields many times over, which a naive check of overlaps compares two by two."""
    return query("{ " + "users { id name } " * rng.randint(100, 2000) + "}")


def circular(rng: Random) -> bytes:
    """Return fragments that name each other in a circle."""
    size = rng.randint(1, 200)
    return query("{ ...C0 } " + " ".join(f"fragment C{n} on Query {{ ...C{(n + 1) % size} }}" for n in range(size)))


def deep(rng: Random) -> bytes:
    """Return deeply nested selections, lists or objects."""
    depth = rng.choice((60, 500, 5000))
    return rng.choice(
        (
            lambda: query("{ products { reviews { author " * depth + "{ id }" + "} } }" * depth),
            lambda: query("{ a(x: " + "[" * depth + "]" * depth + ") }"),
            lambda: query("{ a(x: " + "{a:" * depth + "1" + "}" * depth + ") }"),
            lambda: query("query($v: " + "[" * depth + "Int" + "]" * depth + ") { users { id } }"),
            lambda: post(b"[" * depth + b"]" * depth),
            lambda: post(b'{"query":"{ users { id } }","variables":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"),
        )
    )()


def directives(rng: Random) -> bytes:
    """Return many directives on a field, known and unknown."""
    name = rng.choice(("@include(if: true) ", "@skip(if: false) ", "@no ", "@defer "))
    return query("{ users " + name * rng.randint(10, 3000) + "{ id } }")


def variables(rng: Random) -> bytes:
    """Return huge or odd variables."""
    odd = rng.choice(("x" * rng.randint(1, 900_000), list(range(rng.randint(1, 50_000))), {"a": None}, 2**53, -1.5e300))
    return query("query($v: Int) { users { id @include(if: true) } }", variables={"v": odd, "w": odd})


def introspection(rng: Random) -> bytes:
    """Return a circular introspection."""
    depth = rng.randint(1, 30)
    return query("{ __schema { types " + "{ fields { type " * depth + "{ name }" + "} }" * depth + " } }")


def bad_json(rng: Random) -> bytes:
    """Return a body that is no request."""
    good = orjson.dumps({"query": "{ users { id } }", "variables": {"a": 1}, "operationName": "x", "extensions": {}})
    return post(
        rng.choice(
            (
                good[: rng.randrange(len(good))],
                bytes(rng.randrange(256) for _ in range(rng.randint(0, 300))),
                b'{"query":"\xff\xfe"}',
                b'{"query":"{ users { id } } \\ud800"}',
                b'{"query":"query($a: String = \\"\\ud800\\") { users { id } }"}',
                b'{"query":"query \\u0000 { users { id } }"}',
                b'{"query":"{ users { id } }","operationName":"\\ud800"}',
                b'{"query":"{ users { id } }","extensions":{"persistedQuery":{"version":1,"sha256Hash":[1]}}}',
                b'{"query":"{ users { id } }","extensions":[]}',
                b'{"query":5}',
                b'{"query":"{ users { id } }","variables":"x"}',
                b'{"query":"{ users { id } }","operationName":{}}',
                b'{"query":null}',
                b"null",
                b"[]",
                b"[null]",
                b"[" + b'{"query":"{ users { id } }"},' * 20 + b"{}]",
                b'"x"',
                b"1e999",
                b"NaN",
                b'{"query":"{ users { id } }","query":"{"}',
            )
        ),
        accept=rng.choice((b"application/json", b"application/graphql-response+json", b"text/event-stream", b"*/*")),
    )


def bad_http(rng: Random) -> bytes:
    """Return a request that HTTP or its headers make odd."""
    body = b'{"query":"{ users { id } }"}'
    plain = post(body)
    return rng.choice(
        (
            bytes(rng.randrange(256) for _ in range(rng.randint(1, 200))) + b"\r\n\r\n",
            plain.replace(b"POST", rng.choice((b"PUT", b"DELETE", b"PATCH", b"BREW", b"OPTIONS", b"TRACE"))),
            plain.replace(b"/graphql", b"/" + b"a" * rng.randint(1, 60_000)),
            plain.replace(
                b"/graphql", rng.choice((b"/graphql?query=%ff%fe", b"/%2e%2e/%00", b"//", b"/graphql?query=%7B"))
            ),
            post(body, accept=b"\xff\xfe;q=x, */" + b"," * rng.randint(0, 500)),
            post(body, accept=b"a/b;q=0." + b"9" * rng.randint(1, 5000)),
            post(body, more=b"content-length: 7\r\n"),
            post(body, more=b"transfer-encoding: chunked\r\n"),
            post(body, more=b"x: " + b"y" * rng.randint(1, 60_000) + b"\r\n"),
            post(body, more=b"accept-encoding: gzip;q=\xff\r\n"),
            post(body, more=b"x-graphql-event-stream-token: \xff\r\n"),
            post(body, more=b"last-event-id: \xff\xfe\r\n", accept=b"text/event-stream"),
            post(body, more=b"content-encoding: gzip\r\n"),
            plain.replace(b"application/json\r\naccept", b"text/plain; charset=\xff\r\naccept"),
            plain.replace(b"application/json\r\naccept", b"multipart/form-data\r\naccept"),
            plain.replace(
                b"application/json\r\naccept",
                b"multipart/form-data; boundary=x\r\napollo-require-preflight: 1\r\naccept",
            ),
            b"GET /graphql?" + b"a=1&" * rng.randint(1, 5000) + b" HTTP/1.1\r\nhost: x\r\n\r\n",
            b"GET /graphql?query={users{id}}&variables=%5B HTTP/1.1\r\nhost: x\r\n\r\n",
            b"GET /graphql?query=%7Busers%7Bid%7D%7D&extensions=%22 HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n",  # noqa: E501
        )
    )


def upload(rng: Random) -> bytes:
    """Return a faulty multipart request."""
    body = rng.choice(
        (
            b'--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n{"query":"{ users { id } }"}\r\n--x--\r\n',  # noqa: E501
            b'--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n[\r\n--x\r\n',
            (
                b'--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n{"query":"mutation","variables":{"f":null}}\r\n'  # noqa: E501
                b'--x\r\ncontent-disposition: form-data; name="map"\r\n\r\n{"0":["variables.f.9.__proto__"]}\r\n--x--\r\n'  # noqa: E501
            ),
            b"--x\r\n" + b"a: b\r\n" * rng.randint(1, 2000),
            b"--" * rng.randint(1, 5000),
            bytes(rng.randrange(256) for _ in range(500)),
        )
    )
    head = b"POST /graphql HTTP/1.1\r\nhost: x\r\napollo-require-preflight: 1\r\n"
    return head + b"content-type: multipart/form-data; boundary=x\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def socket_abuse(rng: Random) -> bytes:
    """Return a handshake with frames behind it that break the protocol."""
    init, start = b'{"type":"connection_init"}', b'{"id":"1","type":"subscribe","payload":'
    messages = rng.choice(
        (
            [b"{"],
            [b"\xff\xfe"],
            [init, b"[]"],
            [init, b"null"],
            [init, init],
            [init, start + b'{"query":"{ users { id } }"}}', start + b'{"query":"{"}}'],
            [init, start + b'{"query":' + b"[" * 3000 + b"]" * 3000 + b"}}"],
            [init, start + b"null}"],
            [init, start + b'{"query":"\\ud800"}}'],
            [init, b'{"id":"\\ud800","type":"subscribe","payload":{"query":"{ users { id } }"}}'],
            [init, b'{"id":5,"type":"subscribe"}'],
            [init, b'{"type":"complete"}', b'{"id":{},"type":"complete"}'],
            [b'{"type":"connection_init","payload":{"authorization":"\\ud800"}}'],
            [init, b"x" * rng.randint(1000, 200_000)],
        )
    )
    kind = rng.choice((0x81, 0x81, 0x81, 0x82, 0x8B, 0xF1, 0x01, 0x80, 0x88, 0x89))
    return UPGRADE + b"".join(frame(message) for message in messages[:-1]) + frame(messages[-1], kind)


KINDS: dict[str, Callable[[Random], bytes]] = {
    "fuzzed documents": fuzzed,
    "ever new operations": ever_new,
    "ever new documents to register": registered,
    "alias bombs": aliases,
    "fragment bombs": fragment_bomb,
    "fields many times over": overlapping,
    "circular fragments": circular,
    "deep nesting": deep,
    "directives": directives,
    "variables": variables,
    "introspection": introspection,
    "malformed JSON and UTF-8": bad_json,
    "malformed HTTP": bad_http,
    "malformed uploads": upload,
    "WebSocket abuse": socket_abuse,
}
SHARES = {
    "fuzzed documents": 40,
    "malformed JSON and UTF-8": 20,
    "malformed HTTP": 15,
    "WebSocket abuse": 10,
    "ever new operations": 2,
    "ever new documents to register": 2,
}
"""The others have 1 each: they cost more, and they vary less."""
UNFINISHED = {"malformed HTTP", "malformed uploads", "WebSocket abuse"}
"""Kinds whose requests may lack their end."""


class Attack:
    """Sends the requests and keeps what came of them."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._rng = Random(seed)
        self.statuses: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.examples: dict[str, bytes] = {}
        self.slowest: dict[str, float] = {}

    async def run(self, count: int) -> None:
        """Send so many requests, a bounded number at a time, with a good one now and then."""
        names = list(KINDS)
        weights = [SHARES.get(name, 1) for name in names]
        left = iter(range(count))

        async def work() -> None:
            for number in left:
                if number % GOOD_EVERY == 0:
                    await self._good()
                name = self._rng.choices(names, weights)[0]
                await self._send(name, KINDS[name](self._rng))

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    async def _send(self, name: str, request: bytes) -> None:
        started = time.monotonic()
        try:
            status = await self.exchange(request, is_last=name in UNFINISHED)
        except TimeoutError:
            self._fault(f"{name}: no answer in {ANSWER_S} s", request)
            return
        self.slowest[name] = max(self.slowest.get(name, 0), time.monotonic() - started)
        self.statuses[status] += 1
        if status.startswith("5") and status != "503":
            self._fault(f"{name}: {status}", request)

    async def _good(self) -> None:
        try:
            status = await self.exchange(GOOD)
        except TimeoutError:
            status = "none"
        if status not in {"200", "503"}:
            self._fault(f"a good request: {status}", GOOD)

    def _fault(self, what: str, request: bytes) -> None:
        self.faults[what] += 1
        self.examples.setdefault(what, request)

    async def exchange(self, request: bytes, *, is_last: bool = False) -> str:
        """Send bytes over a connection of their own and return the status, or how the connection ended.

        With ``is_last`` nothing can follow, so that the gateway need not wait for the rest of a request.

        Raises:
            TimeoutError: the gateway neither answered nor closed the connection.
        """
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                writer.write(request)
                if is_last:
                    writer.write_eof()
                head = await reader.read(64)
                if head.startswith(b"HTTP/1.1 101"):
                    await self._close_of(reader)
                return head[9:12].decode("latin-1") if head else "closed"
            except ConnectionError:
                return "reset"
            finally:
                writer.transport.abort()

    @staticmethod
    async def _close_of(reader: asyncio.StreamReader) -> None:
        while await reader.read(65_536):
            pass


async def slow_senders(port: int) -> Counter[str]:
    """Open connections that send a byte a second, heads and bodies alike; return how they stood at the end."""
    ends: Counter[str] = Counter()

    async def drip(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            request = GOOD if number % 2 else GOOD[: GOOD.index(b"\r\n\r\n") + 4]
            writer.write(request[: 20 if number % 2 else len(request)])
            for at in range(SLOW_S):
                writer.write(b"x" if number % 2 == 0 else request[20 + at : 21 + at])
                await asyncio.sleep(1)
            ends["closed by the gateway" if reader.at_eof() else "open"] += 1
        except (ConnectionError, RuntimeError):  # uvloop says the latter of a connection that was cut
            ends["closed by the gateway"] += 1
        finally:
            writer.transport.abort()

    await asyncio.gather(*(drip(number) for number in range(SLOW_SENDERS)))
    return ends


async def floods(port: int) -> Counter[str]:
    """Flood sockets with subscriptions, without reading; return how the gateway ended them."""
    ends: Counter[str] = Counter()

    async def flood() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(UPGRADE + frame(b'{"type":"connection_init"}'))
            for number in range(FLOOD_MESSAGES):
                payload = {"query": f"query Q{number % 20} {{ products {{ upc name price }} }}"}
                writer.write(frame(orjson.dumps({"id": str(number), "type": "subscribe", "payload": payload})))
                async with asyncio.timeout(ANSWER_S):
                    await writer.drain()
            ends["open" if not reader.at_eof() else "closed by the gateway"] += 1
        except (ConnectionError, TimeoutError) as error:
            ends[type(error).__name__] += 1
        finally:
            writer.transport.abort()

    await asyncio.gather(*(flood() for _ in range(FLOODED_SOCKETS)))
    return ends


async def answers(port: int) -> float:
    """Return the seconds that a good request takes.

    Raises:
        SystemExit: it was not answered.
    """
    started = time.monotonic()
    if await Attack(port, 0).exchange(GOOD) != "200":
        sys.exit("a good request was not answered with 200")
    return time.monotonic() - started


def is_flat(course: list[tuple[int, float]], count: int) -> bool:
    """Print whether memory stayed where it was over the second half, and return it; too few requests tell nothing.

    Args:
        course: requests and resident memory after them; the last is after slow senders and floods.
        count: requests in all.
    """
    half = next(((sent, mib) for sent, mib in course if sent >= count / 2), None)
    if half is None or half[0] < STEP or half[0] == course[-1][0]:
        print(f"hostile: memory: no verdict, which takes at least {2 * STEP} requests", flush=True)
        return True
    (sent, before), (_, after) = half, course[-1]
    grown = after / before - 1
    verdict = "flat" if grown <= FLAT else "NOT FLAT"
    print(
        f"hostile: memory: {verdict}, {grown:+.1%} from {sent} to {count} requests (flat: at most {FLAT:+.0%})",
        flush=True,
    )
    return grown <= FLAT


async def attack(count: int) -> bool:
    """Run it all and print what came of it; return whether everything held."""
    async with serve_app(FromMemory()) as address, gateway(ENGINE_SDL, address, SETTINGS) as served:
        await Attack(served.port, SEED + 1).run(WARM)
        report(f"hostile: resident after {WARM} to warm up", served.resident_mib(), "MiB")
        found = Attack(served.port, SEED)
        started = time.monotonic()
        course = []
        for sent in range(0, count, STEP):
            upto = min(sent + STEP, count)
            await found.run(upto - sent)
            course.append((upto, served.resident_mib()))
            report(f"hostile: resident after {upto} requests", course[-1][1], "MiB")
        print(
            f"hostile: {count} requests in {time.monotonic() - started:.0f} s; statuses {dict(found.statuses)}",
            flush=True,
        )
        for name, seconds in sorted(found.slowest.items()):
            report(f"hostile: slowest of {name}, {AT_ONCE} at a time", seconds, "s")
        held = await asyncio.gather(slow_senders(served.port), _among_them(served))
        print(f"hostile: {SLOW_SENDERS} slow senders, a byte a second: {dict(held[0])}", flush=True)
        print(f"hostile: {FLOODED_SOCKETS} flooded sockets: {dict(await floods(served.port))}", flush=True)
        await asyncio.sleep(2)
        report("hostile: a good request after all", await answers(served.port) * 1000, "ms")
        course.append((count, served.resident_mib()))
        report("hostile: resident at the end", course[-1][1], "MiB")
        report("hostile: open files at the end", served.open_files(), "")
        for what, number in found.faults.items():
            print(f"FAULT {what}, {number} times, such as {found.examples[what][:600]!r}", flush=True)
        return is_flat(course, count) and not found.faults


async def _among_them(served: Gateway) -> None:
    await asyncio.sleep(SLOW_S / 2)
    report(f"hostile: a good request among {SLOW_SENDERS} slow senders", await answers(served.port) * 1000, "ms")


def main() -> None:
    where()
    raise_open_files()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    sys.exit(0 if uvloop.run(attack(count)) else 1)


if __name__ == "__main__":
    main()
