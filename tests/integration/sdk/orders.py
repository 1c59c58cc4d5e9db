"""Activities and values that the tests of workflows share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import holdfast
from holdfast import Retry
from tests.integration.sdk.app import App

QUICK = Retry(attempts=5, first=0.02, cap=0.05)


@dataclass
class Order:
    item: str
    amount: int
    notes: list[str] = field(default_factory=list[str])
    by: datetime | None = None


@dataclass
class Receipt:
    order: Order
    total: float


class Flaw(Exception):
    """Trying again helps."""


class Refusal(Exception):
    """It does not."""


class Tries:
    """How often each thing was tried, over the life of the test process."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    @holdfast.activity
    async def flaky(self, key: str, failures: int) -> int:
        self.counts[key] = self.counts.get(key, 0) + 1
        if self.counts[key] <= failures:
            raise Flaw(f"try {self.counts[key]}")
        return self.counts[key]

    @holdfast.activity(raises=[Refusal])
    def refuse(self, key: str) -> None:
        self.counts[key] = self.counts.get(key, 0) + 1
        raise Refusal(f"no to {key}")

    @holdfast.activity
    def hopeless(self, key: str) -> None:
        self.counts[key] = self.counts.get(key, 0) + 1
        raise holdfast.NonRetryable("never")


@holdfast.activity
async def charge(order: Order, rate: float) -> Receipt:
    return Receipt(order, order.amount * rate)


@holdfast.activity
def double(number: int) -> int:
    return 2 * number


@holdfast.activity
async def shout(text: str) -> str:
    return text.upper()


class Idler:
    def __init__(self, app: App) -> None:
        self._sleep = app.sleep

    @holdfast.activity
    async def stay(self, seconds: float) -> None:
        await self._sleep(seconds)
