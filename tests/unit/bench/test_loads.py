"""The ways to load, with a caller that answers at once."""

import asyncio

import pytest

from bench.loads import Load


class Instant:
    """Knows which instances were started and how many were open at once."""

    def __init__(self, *, refuses: int = 0) -> None:
        self.started: list[str] = []
        self.open = self.open_max = 0
        self.events: list[str] = []
        self._refuses = refuses

    async def start(self, workflow: str, value: object, instance_id: str) -> None:
        if self._refuses:
            self._refuses -= 1
            raise ConnectionError("the sidecar is gone")
        self.started.append(instance_id)
        self.open += 1
        self.open_max = max(self.open_max, self.open)
        await asyncio.sleep(0)

    async def wait(self, instance_id: str) -> object:
        await asyncio.sleep(0.001)
        self.open -= 1
        return None

    async def run(self, workflow: str, value: object, instance_id: str) -> object:
        await self.start(workflow, value, instance_id)
        return await self.wait(instance_id)

    async def raise_event(self, instance_id: str) -> None:
        self.events.append(instance_id)


class Said(list[str]):
    def load(self, caller: Instant) -> Load:
        return Load(caller, prefix="p", measuring=lambda: self.append("on"), over=lambda: self.append("over"))


async def test_a_closed_load_never_has_more_in_flight_than_it_was_told() -> None:
    caller, said = Instant(), Said()
    took = await said.load(caller).closed("hello", 5, in_flight=4, warmup=0.01, seconds=10, most=50)
    assert caller.open_max == 4
    assert 50 <= len(took.each) <= 54
    assert len(caller.started) == len(set(caller.started)) > len(took.each) - 4
    assert said == ["on", "over"]


async def test_an_open_load_starts_at_its_rate_and_waits_for_the_rest() -> None:
    caller, ended = Instant(), list[int]()
    load = Load(
        caller, prefix="p", measuring=lambda: ended.append(len(caller.started) - caller.open), over=lambda: None
    )
    took = await load.open("hello", 5, rate=200, warmup=0.05, seconds=0.2)
    assert len(caller.started) == 50
    assert 0 < len(took.each) <= 50 - ended[0]  # what has ended during the warm-up does not count
    assert caller.open == 0


@pytest.mark.parametrize("kind", ["batch", "burst"])
async def test_a_number_of_starts_is_exact(kind: str) -> None:
    caller, said = Instant(), Said()
    took = await getattr(said.load(caller), kind)("hello", 5, number=37, in_flight=5)
    assert len(caller.started) == len(took.each) == 37
    assert said == ["on", "over"]


async def test_a_stubborn_load_tries_again_until_it_works() -> None:
    caller, said = Instant(refuses=3), Said()
    took = await said.load(caller).stubborn("hello", 5, in_flight=1, seconds=0.2)
    assert took.numbers == {"failures": 3}
    assert len(took.each) == len(caller.started)


async def test_events_are_raised_once_on_each() -> None:
    caller, said = Instant(), Said()
    await said.load(caller).events(["a", "b"])
    assert sorted(caller.events) == ["a", "b"]
