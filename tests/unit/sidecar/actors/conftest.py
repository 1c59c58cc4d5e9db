"""A house per test, closed at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.sidecar.actors.house import House


@pytest.fixture
def house() -> Iterator[House]:
    with House() as made:
        yield made
