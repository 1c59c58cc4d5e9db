"""A host on a store in memory, in a loop whose time a test moves: the test is client, worker and power switch.

house.tell(message) -> Ask        what a client or another host sends; `ask.is_ok` once it is durable
house.turn(*actions)              answers the turn that a worker of `house.worker` holds
house.answer(seq)                 answers the activity that it holds
house.crash(); house.boot()       the process dies; another one takes over the same store
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from holdfast_kit.ids import SeededIds
from holdfast_proto.actions import Action
from holdfast_proto.codec import decode_event, encode_event
from holdfast_proto.history import ActivityCompleted, ActivityFailed, Failure, HistoryEvent, Status
from holdfast_sidecar.actors.engine import Engine
from holdfast_sidecar.actors.host import Bounds, Host
from holdfast_sidecar.actors.local import LocalRouter
from holdfast_sidecar.actors.ports import SAVE_AFTER, ActivityTask, CancelReason, TurnTask, no_reply
from holdfast_sidecar.core.errors import HoldfastError
from holdfast_sidecar.core.limits import DEFAULT_LIMITS, Limits
from holdfast_sidecar.core.messages import Message
from holdfast_sidecar.core.state import Record, Reminder, Stored
from holdfast_sidecar.core.turn import TurnResult
from holdfast_sidecar.stores.faults import Fault, FaultyStore, Script
from holdfast_sidecar.stores.memory import Memory, MemoryStore
from tests.simulation.clock import SimClock
from tests.simulation.loop import SimLoop
from tests.unit.sidecar.core import derive
from tests.unit.sidecar.core.stage import ID, SECOND

PARTITIONS = 4


class Ask:
    """What became of one message."""

    def __init__(self) -> None:
        self.answers: list[HoldfastError | None] = []

    def __call__(self, error: HoldfastError | None) -> None:
        self.answers.append(error)

    @property
    def is_answered(self) -> bool:
        return bool(self.answers)

    @property
    def is_ok(self) -> bool:
        return self.answers == [None]

    @property
    def error(self) -> HoldfastError:
        [error] = self.answers
        assert error is not None
        return error


class HandWorker:
    """Takes whatever it has room for and does nothing until the test says so."""

    def __init__(self, worker_id: str = "w1", *, slots: int = 100, names: frozenset[str] | None = None) -> None:
        self._id = worker_id
        self.slots = slots
        self.names = names
        self.turns: list[TurnTask] = []
        self.activities: list[ActivityTask] = []
        self.cancelled: list[tuple[int, CancelReason]] = []
        self.forgotten: list[str] = []
        self.turns_seen = self.activities_seen = 0
        self.patience = SAVE_AFTER

    @property
    def id(self) -> str:
        return self._id

    @property
    def free_turns(self) -> int:
        return self.slots - sum(1 for task in self.turns if task.token)

    @property
    def free_activities(self) -> int:
        return self.slots - sum(1 for task in self.activities if task.token)

    def takes_turn(self, name: str, label: str | None) -> bool:
        return self.names is None or name in self.names

    def takes_activity(self, name: str, version: str | None) -> bool:
        return self.names is None or name in self.names

    def push_turn(self, task: TurnTask) -> None:
        self.turns_seen += 1
        if task not in self.turns:
            self.turns.append(task)

    def push_activity(self, task: ActivityTask) -> None:
        self.activities_seen += 1
        if task not in self.activities:
            self.activities.append(task)

    def cancel_activity(self, task: ActivityTask, reason: CancelReason) -> None:
        self.cancelled.append((task.event.seq, reason))

    def forget(self, instance_id: str) -> None:
        self.forgotten.append(instance_id)


class House:
    def __init__(
        self,
        *,
        faults: Mapping[str, Sequence[Fault | None]] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        bounds: Bounds | None = None,
    ) -> None:
        self.loop = SimLoop()
        self.memory = Memory()
        self.limits = limits
        self.bounds = bounds
        self.epoch = 0
        self.worker = HandWorker()
        self.workers: list[HandWorker] = []  # of the process that runs now
        self.boot(faults=faults)

    # -- power -----------------------------------------------------------------------------------------------------

    def boot(
        self,
        *,
        faults: Mapping[str, Sequence[Fault | None]] | None = None,
        with_worker: bool = True,
        clock_is_behind: float = 0.0,
    ) -> None:
        """A new process, with a higher epoch. The one before may still breathe, if nobody crashed it."""
        self.epoch += 1
        self.workers = []
        self.clock = SimClock(self.loop, skew_ns=-round(clock_is_behind * SECOND))
        self.store = FaultyStore(MemoryStore(self.memory), plan=Script({}), clock=self.clock)
        self.host = Host(
            store=self.store,
            clock=self.clock,
            ids=SeededIds(self.epoch),
            partitions=PARTITIONS,
            limits=self.limits,
            bounds=self.bounds,
        )
        self.host.router = self.router = LocalRouter(self.host)
        self.engine = Engine(
            router=self.router,
            store=self.store,
            clock=self.clock,
            ids=self.host.ids,
            limits=self.limits,
            partition_of=self.host.partition_of,
            check_room=self.host.check_room,
        )
        self.loop.run_until_complete(self.store.open(namespace="shop", partitions=PARTITIONS))
        self._process = self.loop.create_task(self._run(self.host, self.epoch))
        self.loop.settle()
        self.fail(faults or {})
        if with_worker:
            self.connect()

    async def _run(self, host: Host, epoch: int) -> None:
        async with asyncio.TaskGroup() as group:
            await host.acquire(range(PARTITIONS), epoch)
            await host.run(group)

    def crash(self) -> None:
        """The process is gone: nothing that it had planned happens, nobody who waits is told."""
        self.clock.kill()
        self._process.cancel()
        self.loop.settle()

    def close(self) -> None:
        self.clock.kill()
        self.loop.end()

    def __enter__(self) -> House:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fail(self, faults: Mapping[str, Sequence[Fault | None]]) -> None:
        """What strikes the calls of the store from now on."""
        self.store.plan = Script(faults)

    # -- client ----------------------------------------------------------------------------------------------------

    def tell(self, message: Message) -> Ask:
        ask = self.tell_soon(message)
        self.loop.settle()
        return ask

    def tell_soon(self, message: Message) -> Ask:
        """Posted, and nothing else has happened yet."""
        ask = Ask()
        self.host.post(message, ask)
        return ask

    def wake(self, instance_id: str = ID) -> None:
        """What the wake reminder does when a host takes over: in-flight work is sent again."""
        self.host.fire(Reminder(instance_id, "wake", 0))
        self.loop.settle()

    def advance(self, seconds: float) -> None:
        self.loop.advance(seconds)

    # -- worker ----------------------------------------------------------------------------------------------------

    def connect(self, worker: HandWorker | None = None) -> HandWorker:
        self.worker = worker or HandWorker(f"w{self.epoch}-{self.host.connects}")
        self.workers.append(self.worker)
        self.host.pool.connect(self.worker)
        self.loop.settle()
        return self.worker

    def disconnect(self) -> None:
        self.host.pool.disconnect(self.worker)
        self.loop.settle()

    def held(self, instance_id: str = ID) -> TurnTask:
        """The turn that a worker was given and has not answered."""
        [task] = [task for task in self._turns() if task.instance_id == instance_id]
        return task

    def _turns(self) -> list[TurnTask]:
        """A task that changed hands is in the lists of both workers."""
        return list({id(task): task for worker in self.workers for task in worker.turns if task.token}.values())

    @property
    def has_turn(self) -> bool:
        return bool(self._turns())

    def turn(self, *actions: Action, instance_id: str = ID, **result: Any) -> None:
        self.turn_soon(*actions, instance_id=instance_id, **result)
        self.loop.settle()

    def turn_soon(self, *actions: Action, instance_id: str = ID, **result: Any) -> None:
        task = self.held(instance_id)
        assert self.host.pool.take_turn(task.token) is task
        task.on_done(task, TurnResult(actions=actions, **result))

    def running(self, seq: int, instance_id: str = ID) -> ActivityTask:
        held = {id(task): task for worker in self.workers for task in worker.activities if task.token}
        [task] = [task for task in held.values() if task.instance_id == instance_id and task.event.seq == seq]
        return task

    def answer(self, seq: int, result: str | None = None, *, instance_id: str = ID) -> Ask:
        ask = self.answer_soon(seq, result, instance_id=instance_id)
        self.loop.settle()
        return ask

    def answer_soon(self, seq: int, result: str | None = None, *, instance_id: str = ID) -> Ask:
        task = self.running(seq, instance_id)
        assert self.host.pool.take_activity(task.token) is task
        ask = Ask()
        task.on_done(task, encode_event(ActivityCompleted(at=0, seq=seq, result=result)), ask)
        return ask

    def fail_activity(self, seq: int, *, instance_id: str = ID) -> None:
        task = self.running(seq, instance_id)
        assert self.host.pool.take_activity(task.token) is task
        failure = Failure(kind="Declined", message="no")
        task.on_done(task, encode_event(ActivityFailed(at=0, seq=seq, failure=failure)), no_reply)
        self.loop.settle()

    # -- what a test looks at --------------------------------------------------------------------------------------

    def stored(self, instance_id: str = ID) -> Stored | None:
        return MemoryStore(self.memory).stored(instance_id)

    def record(self, instance_id: str = ID) -> Record:
        stored = self.stored(instance_id)
        assert stored is not None
        derive.check_rows(MemoryStore(self.memory), instance_id)
        derive.check_promises(stored)
        return stored.record

    def status(self, instance_id: str = ID) -> Status:
        return self.record(instance_id).status

    def history(self, instance_id: str = ID) -> list[HistoryEvent]:
        stored = self.stored(instance_id)
        return [] if stored is None else derive.facts(stored.history)

    def kinds(self, instance_id: str = ID) -> list[str]:
        return [type(fact).__name__ for fact in self.history(instance_id)]

    def reminder_names(self, instance_id: str = ID) -> list[str]:
        stored = self.stored(instance_id)
        return [] if stored is None else [reminder.name for reminder in stored.reminders]

    def inbox(self, instance_id: str = ID) -> list[HistoryEvent]:
        stored = self.stored(instance_id)
        return [] if stored is None else derive.facts(stored.inbox)

    def told(self) -> list[HistoryEvent]:
        """What the worker sees as new in the turn that it holds."""
        return [decode_event(data) for data in self.held().new]

    @property
    def commits(self) -> int:
        return self.host.committer.commits
