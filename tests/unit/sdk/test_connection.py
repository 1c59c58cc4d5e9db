"""How the SDK finds its way back to a sidecar."""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager

import pytest

from holdfast._connection import CLOCK
from holdfast._stream import Stream
from holdfast._talking import Reconnecting
from holdfast_kit.clock import Clock
from holdfast_kit.ids import Ids, SeededIds

HOUR = 3600.0


class Nowhere:
    """A connection that is never there; adds up how long it was waited for."""

    target = "localhost:1"
    namespace = ""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    @property
    def clock(self) -> Clock:
        return CLOCK

    @property
    def ids(self) -> Ids:
        return SeededIds(0)

    def open(self, method: str) -> AbstractAsyncContextManager[Stream]:
        raise NotImplementedError

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


async def _away_for_an_hour() -> Nowhere:
    nowhere = Nowhere()
    reconnecting = Reconnecting(nowhere, logging.getLogger("holdfast.test"))
    while sum(nowhere.pauses) < HOUR:
        reconnecting.failed("connection refused")
        await reconnecting.pause()
    return nowhere


async def test_a_sidecar_that_is_back_is_found_within_a_second() -> None:
    assert max((await _away_for_an_hour()).pauses) <= 1.0


async def test_an_hour_without_a_sidecar_is_a_line_or_two_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    await _away_for_an_hour()
    assert 60 <= len(caplog.records) <= 150
