"""Random programs of asyncio's primitives, run as workflows against a random world.

Everything is drawn from the generator that is handed in. Run as a program, it prints one line per program: what each
turn of it asked for. The lines must be the same in every process and on every version of Python.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any, NamedTuple

import holdfast
from holdfast import Context
from holdfast_proto.actions import CancelTimer, CreateTimer, ScheduleActivity
from holdfast_proto.history import (
    ActivityCompleted,
    ActivityFailed,
    EventReceived,
    Failure,
    HistoryEvent,
    Resumed,
    Suspended,
    TimerFired,
)
from tests.unit.sdk.story import Story, names

TURNS_MAX = 40
LEAVES = ("call", "sleep", "tick", "event", "fail", "put", "get", "set", "flag", "notify")
BRANCHES = (
    *("seq", "gather", "settle", "group", "wait", "first", "completed", "timeout", "wait_for"),
    *("shield", "lock", "semaphore", "condition", "spawn", "cancel", "catch"),
)


class Node(NamedTuple):
    kind: str
    number: int
    inner: tuple[Node, ...] = ()


def draw_program(random: Random, depth: int = 3) -> Node:
    if depth == 0 or random.random() < 0.3:
        return Node(random.choice(LEAVES), random.randrange(4))
    inner = tuple(draw_program(random, depth - 1) for _ in range(random.randrange(1, 5)))
    return Node(random.choice(BRANCHES), random.randrange(4), inner)


class Player:
    """Interprets a program. `trace` says in which order its steps ended, and how."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.trace: list[str] = []
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.flag = asyncio.Event()
        self.lock = asyncio.Lock()
        self.semaphore = asyncio.Semaphore(2)
        self.condition = asyncio.Condition()
        self.spawned: list[asyncio.Task[Any]] = []

    async def play(self, node: Node) -> str:
        label = f"{node.kind}{node.number}"
        try:
            await self._play(node)
        except BaseException as error:
            self.trace.append(f"{label}!{type(error).__name__}")
            raise
        self.trace.append(label)
        return label

    async def _play(self, node: Node) -> None:
        step: Callable[[Node], Awaitable[object]] = getattr(self, f"_{node.kind}")
        await step(node)

    # ---- leaves ------------------------------------------------------------------------------------------------------

    async def _call(self, node: Node) -> None:
        await self.ctx.call("step", node.number)

    async def _sleep(self, node: Node) -> None:
        await asyncio.sleep(node.number)

    async def _tick(self, node: Node) -> None:
        for _ in range(node.number):
            await asyncio.sleep(0)

    async def _event(self, node: Node) -> None:
        await self.ctx.event(f"e{node.number % 2}")

    async def _fail(self, node: Node) -> None:
        raise ValueError(str(node.number))

    async def _put(self, node: Node) -> None:
        await self.queue.put(node.number)

    async def _get(self, node: Node) -> None:
        self.trace.append(str(await self.queue.get()))

    async def _set(self, node: Node) -> None:
        self.flag.set()

    async def _flag(self, node: Node) -> None:
        await self.flag.wait()

    async def _notify(self, node: Node) -> None:
        async with self.condition:
            self.condition.notify(node.number)

    # ---- branches ----------------------------------------------------------------------------------------------------

    async def _seq(self, node: Node) -> None:
        for inner in node.inner:
            await self.play(inner)

    async def _gather(self, node: Node) -> None:
        await asyncio.gather(*map(self.play, node.inner))

    async def _settle(self, node: Node) -> None:
        await asyncio.gather(*map(self.play, node.inner), return_exceptions=True)

    async def _group(self, node: Node) -> None:
        async with asyncio.TaskGroup() as group:
            for inner in node.inner:
                group.create_task(self.play(inner))

    async def _wait(self, node: Node) -> None:
        await self._wait_until(node, asyncio.ALL_COMPLETED if node.number % 2 else asyncio.FIRST_EXCEPTION)

    async def _first(self, node: Node) -> None:
        await self._wait_until(node, asyncio.FIRST_COMPLETED)

    async def _wait_until(self, node: Node, when: str) -> None:
        tasks = {asyncio.create_task(self.play(inner)) for inner in node.inner}
        done, pending = await asyncio.wait(tasks, timeout=node.number or None, return_when=when)
        for task in done:
            self.trace.append("failed" if task.cancelled() or task.exception() else task.result())
        for task in tasks & pending:
            task.cancel()

    async def _completed(self, node: Node) -> None:
        for step in asyncio.as_completed([self.play(inner) for inner in node.inner]):
            self.trace.append(await step)

    async def _timeout(self, node: Node) -> None:
        async with asyncio.timeout(node.number):
            await self._seq(node)

    async def _wait_for(self, node: Node) -> None:
        await asyncio.wait_for(self._seq(node), node.number)

    async def _shield(self, node: Node) -> None:
        await asyncio.shield(self._seq(node))

    async def _lock(self, node: Node) -> None:
        async with self.lock:
            await self._seq(node)

    async def _semaphore(self, node: Node) -> None:
        async with self.semaphore:
            await self._seq(node)

    async def _condition(self, node: Node) -> None:
        async with self.condition:
            await self.condition.wait()
        await self._seq(node)

    async def _spawn(self, node: Node) -> None:
        self.spawned += [asyncio.create_task(self.play(inner)) for inner in node.inner]

    async def _cancel(self, node: Node) -> None:
        await self._spawn(node)
        for task in self.spawned[: node.number]:
            task.cancel()

    async def _catch(self, node: Node) -> None:
        try:
            await self._seq(node)
        except (ValueError, holdfast.HoldfastError, ExceptionGroup, TimeoutError, asyncio.CancelledError):
            await self.ctx.call("repair", node.number)


def workflow_of(program: Node) -> holdfast.Workflow[[], list[str]]:
    @holdfast.workflow(name="program")
    async def body(ctx: Context) -> list[str]:
        player = Player(ctx)
        try:
            await player.play(program)
        except (ValueError, holdfast.HoldfastError, ExceptionGroup, TimeoutError, RuntimeError) as error:
            player.trace.append(type(error).__name__)
        return player.trace

    return body


class World:
    """What happens to a program: activities end, timers fire, events arrive, in an order that is drawn."""

    def __init__(self, program: Node, random: Random) -> None:
        self.story = Story(workflow_of(program))
        self.random = random
        self.activities: list[int] = []
        self.timers: list[int] = []
        self.lines: list[str] = []
        self.has_ended = False
        self.is_suspended = False

    def live(self) -> list[str]:
        """One line per turn, and the result at the end."""
        try:
            self._live()
        finally:
            self.story.run.close()
        return self.lines

    def _live(self) -> None:
        self._note(self.story.start())
        while not self.has_ended and len(self.lines) < TURNS_MAX:
            if self.random.random() < 0.2:
                self.story.crash()
            self._note(self.story.turn(*self._facts()))
        if self.has_ended and self.story.end.result is not None:
            self.lines.append(self.story.end.result)

    def _note(self, outcome: Any) -> None:
        self.lines.append(" ".join(names(outcome)))
        self.has_ended = outcome.has_ended
        for action in outcome.actions:
            match action:
                case ScheduleActivity():
                    self.activities.append(action.seq)
                case CreateTimer():
                    self.timers.append(action.seq)
                case CancelTimer():
                    if action.seq in self.timers:
                        self.timers.remove(action.seq)
                case _:
                    pass

    def _facts(self) -> Sequence[HistoryEvent]:
        return [self._fact() for _ in range(self.random.randrange(1, 4))]

    def _fact(self) -> HistoryEvent:
        at, chance = self.story.now, self.random.random()
        if chance < 0.45 and self.activities:
            seq = self.activities.pop(self.random.randrange(len(self.activities)))
            if self.random.random() < 0.25:
                return ActivityFailed(at=at, seq=seq, failure=Failure(kind="Broken", message="drawn"))
            return ActivityCompleted(at=at, seq=seq, result=str(seq))
        if chance < 0.8 and self.timers:
            seq = self.timers.pop(self.random.randrange(len(self.timers)))
            return TimerFired(at=at, seq=seq, fire_at=at)
        if chance > 0.97:
            self.is_suspended = not self.is_suspended
            return Suspended(at=at) if self.is_suspended else Resumed(at=at)
        return EventReceived(at=at, name=f"E{self.random.randrange(2)}", input="null")


def line_of(seed: int) -> str:
    lines = World(draw_program(Random(seed)), Random(seed + 1)).live()
    return f"{seed} {len(lines)} {hashlib.sha256('|'.join(lines).encode()).hexdigest()[:16]}"


def main(arguments: Sequence[str]) -> None:
    for seed in range(int(arguments[0]), int(arguments[1])):
        sys.stdout.write(line_of(seed) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
