"""A store that misbehaves on purpose: for tests and simulation, at the seam where every real store fails.

A plan is asked before every call and says what strikes it. `Script` is a plan written down, `Chances` one drawn from a
seed. What happened is kept in `happened`, in order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import TypeAlias, TypeVar, assert_never

from msgspec import Struct

from holdfast_kit.clock import Clock
from holdfast_sidecar.core.state import Commit, Filter, Page, Stored, View
from holdfast_sidecar.stores.contract import Due, Outcome, Store, StoreError, StoreFull

Result = TypeVar("Result")


class FailBefore(Struct, frozen=True):
    """Nothing is done; the caller sees an error."""

    is_full: bool = False


class LoseAnswer(Struct, frozen=True):
    """It is done, and the caller sees an error all the same."""


class Slow(Struct, frozen=True):
    """Seconds until it is done, and from then until it is answered."""

    before: float = 0.0
    after: float = 0.0


class CutAfter(Struct, frozen=True):
    """The connection is lost in mid-batch: the first `count` are done, the caller sees an error. For writes."""

    count: int


class FencedBy(Struct, frozen=True):
    """Just before, another owner acquires the partitions under an epoch that is higher by this. For commits."""

    margin: int = 1


Fault: TypeAlias = FailBefore | LoseAnswer | Slow | CutAfter | FencedBy
Plan: TypeAlias = Callable[[str, int], Fault | None]  # of the verb, and how many things the call is about


class Happening(Struct, frozen=True):
    verb: str
    fault: Fault
    about: tuple[str, ...] = ()  # the instances of a commit


class Script:
    """The n-th call of a verb meets the n-th entry under its name; what is past the end goes well."""

    def __init__(self, faults: Mapping[str, Sequence[Fault | None]]) -> None:
        self._left = {verb: list(entries) for verb, entries in faults.items()}

    def __call__(self, verb: str, size: int) -> Fault | None:
        entries = self._left.get(verb)
        return entries.pop(0) if entries else None


class Chances(Struct, frozen=True, kw_only=True):
    """A plan drawn from `rng`: each number is the chance of that fault, out of 1, for every call it can strike."""

    rng: Random
    fail: float = 0.0
    full: float = 0.0
    lose: float = 0.0
    slow: float = 0.0
    cut: float = 0.0
    fence: float = 0.0
    slow_seconds_max: float = 1.0

    def __call__(self, verb: str, size: int) -> Fault | None:
        drawn, rng = self.rng.random(), self.rng
        is_write = verb in ("commit", "acquire")
        seconds = rng.random() * self.slow_seconds_max
        for chance, fault in (
            (self.fail, FailBefore()),
            (self.slow, Slow(before=seconds) if rng.random() < 0.5 else Slow(after=seconds)),
            (self.full * is_write, FailBefore(is_full=True)),
            (self.lose * is_write, LoseAnswer()),
            (self.cut * (is_write and size > 1), CutAfter(rng.randrange(size + 1))),
            (self.fence * (verb == "commit"), FencedBy()),
        ):
            if drawn < chance:
                return fault
            drawn -= chance
        return None


class FaultyStore:
    """`inner` with faults. Opening and closing always go well."""

    def __init__(self, inner: Store, *, plan: Plan, clock: Clock) -> None:
        self.inner = inner
        self.plan = plan
        self.happened: list[Happening] = []
        self._clock = clock

    async def open(self, *, namespace: str, partitions: int) -> None:
        await self.inner.open(namespace=namespace, partitions=partitions)

    async def close(self) -> None:
        await self.inner.close()

    async def acquire(self, partitions: Sequence[int], epoch: int) -> Sequence[int]:
        fault = self._fault("acquire", len(partitions))
        if isinstance(fault, CutAfter):
            await self.inner.acquire(partitions[: fault.count], epoch)
            raise _lost("acquire", fault)
        return await self._strike("acquire", fault, lambda: self.inner.acquire(partitions, epoch))

    async def commit(self, commits: Sequence[Commit]) -> Sequence[Outcome]:
        fault = self._fault("commit", len(commits), tuple(commit.instance_id for commit in commits))
        if isinstance(fault, CutAfter):
            await self.inner.commit(commits[: fault.count])
            raise _lost("commit", fault)
        if isinstance(fault, FencedBy):
            for commit in commits:
                await self.inner.acquire([commit.partition], commit.epoch + fault.margin)
            return await self.inner.commit(commits)
        return await self._strike("commit", fault, lambda: self.inner.commit(commits))

    async def load(self, instances: Sequence[tuple[int, str]]) -> Sequence[Stored | None]:
        fault = self._fault("load", len(instances))
        return await self._strike("load", fault, lambda: self.inner.load(instances))

    async def view(self, instances: Sequence[tuple[int, str]], *, payloads: bool) -> Sequence[View | None]:
        fault = self._fault("view", len(instances))
        return await self._strike("view", fault, lambda: self.inner.view(instances, payloads=payloads))

    async def history(self, partition: int, instance_id: str, *, first: int = 0, limit: int = 0) -> Sequence[bytes]:
        fault = self._fault("history", 1)
        return await self._strike(
            "history", fault, lambda: self.inner.history(partition, instance_id, first=first, limit=limit)
        )

    async def due(self, partitions: Sequence[int], *, after: int, until: int, limit: int, cursor: str = "") -> Due:
        fault = self._fault("due", len(partitions))
        return await self._strike(
            "due", fault, lambda: self.inner.due(partitions, after=after, until=until, limit=limit, cursor=cursor)
        )

    async def query(self, wanted: Filter, *, limit: int, cursor: str = "", payloads: bool = False) -> Page:
        fault = self._fault("query", 1)
        return await self._strike(
            "query", fault, lambda: self.inner.query(wanted, limit=limit, cursor=cursor, payloads=payloads)
        )

    def _fault(self, verb: str, size: int, about: tuple[str, ...] = ()) -> Fault | None:
        fault = self.plan(verb, size)
        if fault is not None:
            self.happened.append(Happening(verb, fault, about))
        return fault

    async def _strike(self, verb: str, fault: Fault | None, act: Callable[[], Awaitable[Result]]) -> Result:
        match fault:
            case None:
                return await act()
            case FailBefore(is_full=is_full):
                raise (StoreFull if is_full else StoreError)(f"{verb}: made to fail before anything was done")
            case LoseAnswer():
                await act()
                raise StoreError(f"{verb}: done, and its answer made to get lost")
            case Slow(before=before, after=after):
                await self._clock.sleep(before)
                result = await act()
                await self._clock.sleep(after)
                return result
            case CutAfter() | FencedBy():
                raise ValueError(f"{verb}: expected a fault that can strike it, found {fault}; correct the plan")
            case _:
                assert_never(fault)


def _lost(verb: str, fault: CutAfter) -> StoreError:
    return StoreError(f"{verb}: the connection was made to break after the first {fault.count}")
