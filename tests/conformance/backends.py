"""Every store that the suite runs against, by the name that `pytest -k` knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.conformance.harness import Backend, RestartableBackend
from tests.conformance.memory import MemoryBackend
from tests.conformance.postgres import PostgresBackend
from tests.conformance.redis import RedisBackend, RedisClusterBackend
from tests.conformance.sqlite import SqliteBackend

RESTARTABLE: Mapping[str, Callable[[], RestartableBackend]] = {
    "redis": RedisBackend,
    "redis-cluster": RedisClusterBackend,
    "postgres": PostgresBackend,
}
BACKENDS: Mapping[str, Callable[[], Backend]] = {"memory": MemoryBackend, "sqlite": SqliteBackend, **RESTARTABLE}
