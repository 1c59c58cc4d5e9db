"""What a suite inside a client's own environment may use: the standard library and the sidecar's address."""

import re
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
WAIT_S = 30.0
_POLL_S = 0.02


def eventually(check: Callable[[], T | None], what: str, *, timeout: float = WAIT_S) -> T:
    """The first true answer of `check`; fails at the deadline, naming `what`."""
    deadline = time.monotonic() + timeout
    while not (found := check()):
        assert time.monotonic() < deadline, f"{what}: expected within {timeout} s, it did not happen"
        time.sleep(_POLL_S)
    return found


@dataclass(frozen=True)
class Sidecar:
    grpc: str
    http: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Sidecar":
        return cls(grpc=environment["HOLDFAST_GRPC"], http=environment["HOLDFAST_HTTP"])

    @property
    def host(self) -> str:
        return self.grpc.rpartition(":")[0]

    @property
    def port(self) -> str:
        return self.grpc.rpartition(":")[2]

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        with urllib.request.urlopen(f"http://{self.http}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        assert found, f"metrics: expected {name}, found none"
        return float(found[1])

    def workers(self) -> int:
        return int(self.metric("holdfast_workers"))

    def await_workers(self, count: int) -> None:
        """Until exactly so many workers are connected: a stopped one may still hold its stream for a moment."""
        eventually(lambda: self.workers() == count, f"{count} connected workers")

    def await_workers_at_most(self, count: int) -> None:
        eventually(lambda: self.workers() <= count, f"at most {count} connected workers")
