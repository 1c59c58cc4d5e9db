"""What is started and done to it, and how everything must end: worked out beforehand, without the system under test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Final, TypeAlias

from holdfast_proto.history import Status
from tests.support.workload import blend

Json: TypeAlias = object


@dataclass(frozen=True)
class Ending:
    status: Status
    output: Json = None
    failure: str = ""  # its kind
    custom_status: Json = None


@dataclass(frozen=True)
class Event:
    name: str
    value: Json
    after_s: float  # from the one before, or from the start


@dataclass(frozen=True)
class Planned:
    """One instance that the client starts. `others` are those that it starts by ids known beforehand; `more` counts the
    ones whose ids the system makes."""

    id: str
    workflow: str
    input: Json
    ending: Ending
    start_s: float = 0.0
    delay_s: float = 0.0  # of a scheduled start
    events: tuple[Event, ...] = ()
    is_shuffled: bool = False  # events are sent side by side
    pauses_s: float = 0.0  # paused at once, for so long
    terminate_s: float = 0.0  # after its start; 0: not at all
    others: tuple[tuple[str, Ending], ...] = ()
    more: int = 0

    @property
    def is_left_alone(self) -> bool:
        """Nothing is done to it between its start and its end."""
        return not (self.delay_s or self.events or self.pauses_s or self.terminate_s)

    @property
    def instances(self) -> int:
        return 1 + len(self.others) + self.more


def make_plan(*, seed: int, instances: int, span_s: float) -> list[Planned]:
    """`instances` of all kinds, started over `span_s` seconds, half of them in bursts."""
    rng = Random(seed)
    plan = [_KINDS[number % len(_KINDS)](f"{number:04}", rng) for number in range(instances)]
    bursts = [rng.uniform(0, span_s) for _ in range(max(1, instances // 40))]
    starts = [rng.choice(bursts) if rng.random() < 0.5 else rng.uniform(0, span_s) for _ in plan]
    return [replace(planned, start_s=start) for planned, start in zip(plan, starts, strict=True)]


def _done(output: Json, custom_status: Json = None) -> Ending:
    return Ending(Status.COMPLETED, output, custom_status=custom_status)


def _chained(seed: int, count: int) -> int:
    value = seed
    for salt in range(count):
        value = blend(value, salt)
    return value


def _sum(seed: int, count: int, depth: int = 0) -> dict[str, int]:
    return {"seed": seed, "count": count, "depth": depth}


# -- kinds -------------------------------------------------------------------------------------------------------------


def _chain(number: str, rng: Random) -> Planned:
    seed, count = rng.randrange(1000), rng.randint(1, 8)
    return Planned(f"chain-{number}", "chain", _sum(seed, count), _done(_chained(seed, count)))


def _later(number: str, rng: Random) -> Planned:
    planned = _chain(number, rng)
    return replace(planned, id=f"later-{number}", delay_s=rng.uniform(0.2, 2.5))


def _fan(number: str, rng: Random) -> Planned:
    seed, count = rng.randrange(1000), rng.randint(2, 30)
    output = sum(blend(seed, salt) for salt in range(count))
    return Planned(f"fan-{number}", "fan", _sum(seed, count), _done(output))


def _family(number: str, rng: Random) -> Planned:
    seed, count, depth = rng.randrange(1000), 2, rng.randint(1, 3)
    more = sum(count**level for level in range(1, depth + 1))
    output = _family_value(seed, count, depth)
    return Planned(f"family-{number}", "family", _sum(seed, count, depth), _done(output), more=more)


def _family_value(seed: int, count: int, depth: int) -> int:
    if depth == 0:
        return blend(seed, count)
    return sum(_family_value(seed + number, count, depth - 1) for number in range(count))


def _scatter(number: str, rng: Random) -> Planned:
    seed, count, name = rng.randrange(1000), rng.randint(1, 4), f"scatter-{number}"
    values = [blend(seed + each, 7) for each in range(count)]
    leaves = tuple((f"{name}.leaf{each}", _done(value)) for each, value in enumerate(values))
    return Planned(name, "scatter", _sum(seed, count), _done(sorted(values)), others=leaves)


def _leave(number: str, rng: Random) -> Planned:
    seed, count, name = rng.randrange(1000), rng.randint(1, 3), f"leave-{number}"
    left = tuple((f"{name}.left{each}", _done(_chained(seed + each, 2))) for each in range(count))
    return Planned(name, "leave", _sum(seed, count), _done("gone"), others=left)


def _sleepy(number: str, rng: Random) -> Planned:
    naps = [rng.randint(1, 400) for _ in range(rng.randint(1, 4))]
    return Planned(f"sleepy-{number}", "sleepy", naps, _done(len(naps)))


def _numbers(rng: Random, count: int) -> tuple[Event, ...]:
    return tuple(Event("number", rng.randrange(1000), rng.uniform(0, 0.5)) for _ in range(count))


def _listener(number: str, rng: Random) -> Planned:
    events = _numbers(rng, rng.randint(1, 8))
    output = [event.value for event in events]
    return Planned(f"listener-{number}", "listener", len(events), _done(output), events=events)


def _crowd(number: str, rng: Random) -> Planned:
    """Events that are sent side by side: each once, in any order."""
    events = _numbers(rng, rng.randint(2, 8))
    output = sorted(event.value for event in events if isinstance(event.value, int))
    return Planned(f"crowd-{number}", "crowd", len(events), _done(output), events=events, is_shuffled=True)


def _flood(number: str, rng: Random) -> Planned:
    """Events without a pause: at whatever instant something is killed, one has just been acknowledged."""
    events = tuple(Event("number", rng.randrange(1000), rng.uniform(0, 0.05)) for _ in range(80))
    return Planned(f"flood-{number}", "listener", 80, _done([event.value for event in events]), events=events)


def _paused(number: str, rng: Random) -> Planned:
    planned = _listener(number, rng)
    return replace(planned, id=f"paused-{number}", pauses_s=rng.uniform(0.1, 1.0))


def _rounds(number: str, rng: Random) -> Planned:
    events, total = _numbers(rng, rng.randint(2, 5)), 0
    for event in events:
        assert isinstance(event.value, int)
        total = blend(total, event.value)
    order = {"number": 1, "last": len(events), "total": 0}
    return Planned(f"rounds-{number}", "rounds", order, _done(total), events=events)


def _flaky(number: str, rng: Random) -> Planned:
    seed, count = rng.randrange(1000), rng.randint(1, 3)
    return Planned(f"flaky-{number}", "flaky", _sum(seed, count), _done(_chained(seed, count)))


def _trip(number: str, rng: Random) -> Planned:
    places = [f"{what}-{number}" for what in ("room", "flight", "car")[: rng.randint(1, 3)]]
    output = [*(f"{place} booked" for place in places), "Declined"]
    return Planned(f"trip-{number}", "trip", places, _done(output))


def _teller(number: str, rng: Random) -> Planned:
    steps = rng.randint(1, 4)
    return Planned(f"teller-{number}", "teller", steps, _done(f"{steps} steps", {"step": steps}))


def _failing(number: str, rng: Random) -> Planned:
    return Planned(f"failing-{number}", "failing", "because", Ending(Status.FAILED, failure="Declined"))


def _endless(number: str, rng: Random) -> Planned:
    name, depth = f"endless-{number}", rng.randint(0, 2)
    ending = Ending(Status.TERMINATED, f"stop {number}")
    below = tuple((each, ending) for each in _below(name, depth))
    return Planned(name, "endless", depth, ending, terminate_s=rng.uniform(0.01, 1.5), others=below)


def _below(name: str, depth: int) -> list[str]:
    children = [f"{name}.{number}" for number in range(2)] if depth else []
    return [*children, *(each for child in children for each in _below(child, depth - 1))]


def _racing(number: str, rng: Random) -> Planned:
    seed, count = rng.randrange(1000), rng.randint(2, 5)
    return Planned(f"racing-{number}", "racing", _sum(seed, count), _done(blend(seed, 6)))


_KINDS: Final[tuple[Callable[[str, Random], Planned], ...]] = (
    _chain, _fan, _family, _scatter, _leave, _sleepy, _listener, _crowd, _paused, _rounds, _flaky, _trip, _teller,
    _failing, _endless, _racing, _later, _flood,
)  # fmt: skip
