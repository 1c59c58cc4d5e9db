from collections.abc import Iterator

import pytest

from tests.unit.sdk.story import close_runs


@pytest.fixture(autouse=True)
def _closed_runs() -> Iterator[None]:
    yield
    close_runs()
