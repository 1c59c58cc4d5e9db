"""A PostgreSQL server with nothing in it."""

import signal
import subprocess
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.support import binaries
from tests.support.folders import new_folder, remove_folder, server_user
from tests.support.ports import free_port
from tests.support.procs import Child, wait_until

_SUPERUSER = "postgres"


class Postgres:
    """Every acknowledged transaction is on disk (fsync is on); any local user may connect as `postgres`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = self.url_of("postgres")
        self.folder = new_folder("postgres")
        self._bin = binaries.postgres_folder()
        self._numbers = count(1)
        self._child: Child | None = None

    def url_of(self, database: str) -> str:
        return f"postgresql://{_SUPERUSER}@127.0.0.1:{self.port}/{database}"

    @property
    def child(self) -> Child:
        if self._child is None:
            raise RuntimeError(f"PostgreSQL on port {self.port}: expected to be started, call start() or use `with`")
        return self._child

    def start(self) -> None:
        """Start, or start again on the same port with the same data; takes connections when this returns."""
        data = self.folder / "data"
        if not data.exists():
            self._initdb()
        fixed: list[str | Path] = [
            "-D",
            data,
            "-p",
            str(self.port),
            "-h",
            "127.0.0.1",
            "-c",
            "unix_socket_directories=",
        ]
        self._child = Child(
            [self._bin / "postgres", *fixed, "-c", "max_connections=200"],
            log=self.folder / "server.log",
            name=f"postgres {self.port}",
            user=server_user(),
            cwd=self.folder,
        )
        self._child.wait_line("database system is ready to accept connections")

    def _initdb(self) -> None:
        fixed = ["-U", _SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
        initdb = Child(
            [self._bin / "initdb", "-D", self.folder / "data", *fixed],
            log=self.folder / "initdb.log",
            user=server_user(),
            cwd=self.folder,
        )
        if initdb.wait_exit():
            raise AssertionError(f"initdb: expected to succeed, found\n{initdb.output()}")

    def new_database(self) -> str:
        """The URL of an empty database of its own."""
        name = f"test_{next(self._numbers)}"
        self.psql(f'CREATE DATABASE "{name}"')
        return self.url_of(name)

    def psql(self, statement: str) -> str:
        """Run a statement in the database `postgres` and return what it printed, bare."""
        args: list[str | Path] = [
            self._bin / "psql",
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statement,
            self.url,
        ]
        done = subprocess.run(args, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            raise AssertionError(f"{statement}: expected to succeed, found {done.stderr}")
        return done.stdout.strip()

    def kill(self) -> None:
        """SIGKILL to the server and all its children, as a power cut would: none finishes what it was doing."""
        parent = psutil.Process(self.child.pid)
        self.child.pause()  # so that it starts no child while we look at them
        children = parent.children(recursive=True)
        self.child.kill()
        for process in children:
            _kill_child(process)
        wait_until(lambda: not any(_is_running(process) for process in children), "the children of postgres ending")

    def stop(self) -> None:
        """The "fast" stop: connections are cut, data is flushed."""
        self.child.signal(signal.SIGINT)
        self.child.wait_exit()

    def restart(self) -> None:
        """Stop politely and start again."""
        self.stop()
        self.start()

    def close(self) -> None:
        if self._child and self._child.is_running:
            self.kill()
        remove_folder(self.folder)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def _kill_child(process: psutil.Process) -> None:
    """psutil compares the start time, so a pid that was given to another process meanwhile is safe."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
