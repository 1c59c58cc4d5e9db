"""One real server of each kind per test run, started when a test first asks for it."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.etcd import Etcd
from tests.support.postgres import Postgres
from tests.support.valkey import Valkey

# An example may take as long as it likes: how fast a loaded machine is says nothing about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


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
