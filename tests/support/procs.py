"""Child processes with their output in a file, and waiting with a deadline."""

import atexit
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
WAIT_S = 30.0  # generous: a loaded machine is slow, and a healthy one answers at once
_POLL_S = 0.02
_TAIL_LINES = 40
_alive: "weakref.WeakSet[Child]" = weakref.WeakSet()


def wait_until(check: Callable[[], T | None], what: str, *, timeout: float = WAIT_S) -> T:
    """Poll until `check` gives something true and return that; `AssertionError` naming `what` at the deadline."""
    deadline = time.monotonic() + timeout
    while not (found := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: expected within {timeout} s, found nothing")
        time.sleep(_POLL_S)
    return found


class Child:
    """One process, started at once. Its output, both streams, goes to `log`; a restart appends to the same file."""

    def __init__(
        self,
        args: Sequence[str | Path],
        *,
        log: Path,
        name: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
    ) -> None:
        """`env` is added to ours; `user` needs root and also drops the groups."""
        self.name = name or Path(args[0]).name
        self.log = log
        self._seen = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(arg) for arg in args],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                user=user,
                group="nogroup" if user else None,
                extra_groups=[] if user else None,
            )
        _alive.add(self)

    @classmethod
    def python(
        cls, *args: str | Path, log: Path, name: str | None = None, env: Mapping[str, str] | None = None
    ) -> Self:
        """One of our programs: `Child.python("-m", "holdfast_cli", "dev", log=...)`; output is not buffered."""
        full = {"PYTHONUNBUFFERED": "1", **(env or {})}
        return cls([sys.executable, *args], log=log, name=name or str(args[-1]), env=full)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    @property
    def is_running(self) -> bool:
        return self.returncode is None

    def output(self) -> str:
        """What this process wrote so far; not what its predecessors wrote to the same file."""
        with self.log.open("rb") as file:
            file.seek(self._seen)
            return file.read().decode(errors="replace")

    def wait_line(self, pattern: str, *, timeout: float = WAIT_S) -> re.Match[str]:
        """The first line that the regular expression finds something in."""
        compiled = re.compile(pattern, re.MULTILINE)
        return self._await(lambda: compiled.search(self.output()), f"line {pattern!r}", timeout)

    def wait_port(self, port: int, *, timeout: float = WAIT_S) -> None:
        self._await(lambda: _connects(port), f"listening on port {port}", timeout)

    def wait_http(
        self, url: str, *, status: int = 200, timeout: float = WAIT_S, context: ssl.SSLContext | None = None
    ) -> bytes:
        """The body of the first answer with that status."""
        answer = self._await(lambda: _http(url, status, context), f"{url} answering {status}", timeout)
        return answer[0]

    def wait_exit(self, *, timeout: float = WAIT_S) -> int:
        """The exit code; a negative one is the signal that ended it."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{self.name}: expected to end within {timeout} s{self._tail()}") from error

    def pause(self) -> None:
        """SIGSTOP: it stands still and does not know."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and gone when this returns."""
        self._process.kill()
        self._process.wait()

    def terminate(self, *, timeout: float = WAIT_S) -> int:
        """SIGTERM and wait; the exit code."""
        self._process.terminate()
        return self.wait_exit(timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.kill()

    def _await(self, check: Callable[[], T | None], what: str, timeout: float) -> T:
        def alive_or_found() -> T | None:
            ended = self.returncode is not None  # asked first: a last line may come just before the end
            found = check()
            if ended and not found:
                raise AssertionError(f"{self.name}: expected {what}, it ended with {self.returncode}{self._tail()}")
            return found

        try:
            return wait_until(alive_or_found, f"{self.name}: {what}", timeout=timeout)
        except AssertionError as error:
            error.add_note(f"log {self.log}{self._tail()}")
            raise

    def _tail(self) -> str:
        return "\n" + "\n".join(self.output().splitlines()[-_TAIL_LINES:])


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _http(url: str, status: int, context: ssl.SSLContext | None) -> tuple[bytes] | None:
    """The body in a tuple, so that an empty one counts as an answer."""
    try:
        with urllib.request.urlopen(url, timeout=2, context=context) as answer:
            return (answer.read(),) if answer.status == status else None
    except urllib.error.HTTPError as error:
        with error:
            return (error.read(),) if error.code == status else None
    except OSError:
        return None


@atexit.register
def _kill_all() -> None:
    for child in list(_alive):
        if child.is_running:
            child.kill()
