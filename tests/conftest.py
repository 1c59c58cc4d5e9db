"""One real server of each kind per test run, started when a test first asks for it."""

from collections.abc import Iterator

import pytest

from tests.support.etcd import Etcd
from tests.support.postgres import Postgres
from tests.support.valkey import Valkey


@pytest.fixture(scope="session")
def etcd_server() -> Iterator[Etcd]:
    with Etcd() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server
