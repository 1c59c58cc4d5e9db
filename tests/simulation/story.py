"""Stories: tests as text that a newcomer can read. On the left stands what is done, on the right what follows from it.

    start order-7                 order-7    v1 pending inbox+WorkflowStarted
    crash a                       b: run order-7#0

A story's file is its own expectation: it is told again from its left side, and must come out the same.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Sequence

from holdfast_kit.ids import SeededIds
from holdfast_proto.actions import (
    Action,
    CompleteWorkflow,
    CreateTimer,
    ScheduleActivity,
    SendEvent,
    StartChild,
)
from holdfast_proto.codec import decode_event, encode_event
from holdfast_proto.history import ActivityCompleted, EventReceived, Resumed, Status, Suspended, WorkflowStarted
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.local import LocalRouter
from holdfast_sidecar.actors.ports import SAVE_AFTER, ActivityTask, CancelReason, TurnTask
from holdfast_sidecar.core.errors import HoldfastError
from holdfast_sidecar.core.limits import DEFAULT_LIMITS
from holdfast_sidecar.core.messages import Deliver, Message, Start, Terminate
from holdfast_sidecar.core.turn import TurnResult
from holdfast_sidecar.stores.faults import FailBefore, Fault, FaultyStore, LoseAnswer, Script
from holdfast_sidecar.stores.memory import Memory
from tests.simulation.clock import SimClock
from tests.simulation.disk import Disk, Journal
from tests.simulation.loop import NANOS, SimLoop
from tests.simulation.program import activity_result

MARGIN = 50
PARTITIONS = 4
_ENDS = {"complete": Status.COMPLETED, "fail": Status.FAILED, "again": Status.CONTINUED_AS_NEW}
_FAULTS: dict[str, Fault] = {"fails": FailBefore(), "loses its answer": LoseAnswer()}


class Person:
    """A process with one worker, which does what the story says."""

    def __init__(self, story: Story, name: str, epoch: int) -> None:
        self._story = story
        self.name = name
        self.clock = SimClock(story.loop)
        disk = Disk(story.memory, story.journal, clock=self.clock, rng=SeededIds(epoch).random(), late=0.0)
        self.store = FaultyStore(disk, plan=Script({}), clock=self.clock)
        self.host = Host(
            store=self.store, clock=self.clock, ids=SeededIds(epoch), partitions=PARTITIONS, limits=DEFAULT_LIMITS
        )
        self.host.router = LocalRouter(self.host)
        self.turns: dict[str, TurnTask] = {}
        self.activities: dict[str, ActivityTask] = {}
        self._task = story.loop.create_task(self._run(epoch))
        story.loop.settle()
        self.host.pool.connect(self)

    async def _run(self, epoch: int) -> None:
        async with asyncio.TaskGroup() as group:
            await self.host.acquire(range(PARTITIONS), epoch)
            await self.host.run(group)

    def check(self) -> None:
        """Raises what has felled the process."""
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    def crash(self) -> None:
        self.clock.kill()
        self._task.cancel()

    # The worker's side.

    @property
    def id(self) -> str:
        return f"worker of {self.name}"

    @property
    def free_turns(self) -> int:
        return 100

    @property
    def free_activities(self) -> int:
        return 100

    @property
    def patience(self) -> float:
        return SAVE_AFTER

    def takes_turn(self, name: str, label: str | None) -> bool:
        return True

    def takes_activity(self, name: str, version: str | None) -> bool:
        return True

    def push_turn(self, task: TurnTask) -> None:
        self.turns[task.instance_id] = task
        words = [type(decode_event(data)).__name__ for data in task.new]
        self._story.say(f"{self.name}: turn of {task.instance_id} with {' '.join(words)}")

    def push_activity(self, task: ActivityTask) -> None:
        key = f"{task.instance_id}#{task.event.seq}"
        self.activities[key] = task
        self._story.say(f"{self.name}: run {key}")

    def cancel_activity(self, task: ActivityTask, reason: CancelReason) -> None:
        self._story.say(f"{self.name}: stop {task.instance_id}#{task.event.seq}, {reason.name.lower()}")

    def forget(self, instance_id: str) -> None:
        """This worker remembers nothing."""


class Story:
    def __init__(self) -> None:
        self.loop = SimLoop()
        self.memory = Memory()
        self.journal = Journal(lambda who, what: self.say(f"{who}: {what}"))
        self.people: dict[str, Person] = {}
        self._epoch = 0
        self._said: list[str] = []
        self._at = ""  # who is meant when the story names nobody

    def say(self, what: str) -> None:
        self._said.append(what)

    def tell(self, text: str) -> str:
        """The same story, as it happens now."""
        lines = list[str]()
        for line in text.splitlines():
            if line.startswith("#") or not line.strip():
                lines.append(line)
            elif not line.startswith(" "):
                lines += self._columns(line.split("  ")[0])
        self._end()
        return "\n".join(lines) + "\n"

    def _columns(self, command: str) -> list[str]:
        self._said = []
        self._do(command)
        self.loop.settle()
        for person in self.people.values():
            person.check()
        first, *others = self._said or [""]
        return [f"{command:<{MARGIN}}{first}".rstrip(), *(" " * MARGIN + other for other in others)]

    def _end(self) -> None:
        for person in self.people.values():
            person.clock.kill()
        self.loop.end()

    # -- commands --------------------------------------------------------------------------------------------------

    def _do(self, command: str) -> None:
        words = shlex.split(command)
        if words[0].endswith(":"):
            self._at, words = words[0][:-1], words[1:]
        verb, *rest = words
        _VERBS[verb](self, rest)

    @property
    def _person(self) -> Person:
        return self.people[self._at]

    def boot(self, words: Sequence[str]) -> None:
        self._epoch += 1
        self.say(f"{words[0]}: takes over with epoch {self._epoch}")
        self.people[words[0]] = Person(self, words[0], self._epoch)
        self._at = words[0]

    def crash(self, words: Sequence[str]) -> None:
        self.people[words[0]].crash()

    def advance(self, words: Sequence[str]) -> None:
        self.loop.advance(float(words[0].removesuffix("s")))

    def store(self, words: Sequence[str]) -> None:
        """The next commit meets this fault."""
        self._person.store.plan = Script({"commit": [_FAULTS[" ".join(words)]]})

    def start(self, words: Sequence[str]) -> None:
        name = words[0]
        started = WorkflowStarted(at=0, name="order", instance_id=name, execution_id=f"run-of-{name}")
        self._post(f"start {name}", Start(instance_id=name, event=encode_event(started)))

    def event(self, words: Sequence[str]) -> None:
        target, name, source = words
        received = EventReceived(at=0, name=name, source=source)
        self._post(f"event {name}", Deliver(instance_id=target, event=encode_event(received)))

    def suspend(self, words: Sequence[str]) -> None:
        self._post("suspend", Deliver(instance_id=words[0], event=encode_event(Suspended(at=0))))

    def resume(self, words: Sequence[str]) -> None:
        self._post("resume", Deliver(instance_id=words[0], event=encode_event(Resumed(at=0))))

    def terminate(self, words: Sequence[str]) -> None:
        self._post("terminate", Terminate(instance_id=words[0], output="stop", recurse=True))

    def _post(self, what: str, message: Message) -> None:
        name = self._at

        def replied(error: HoldfastError | None) -> None:
            self.say(f"{name}: {what}: {'ok' if error is None else error.name}")

        self._person.host.post(message, replied)

    def turn(self, words: Sequence[str]) -> None:
        """`turn order-7 activity 0, timer 1 5, complete done`."""
        name, *asked = words
        task = self._person.turns.pop(name, None)
        if task is None or self._person.host.pool.take_turn(task.token) is None:
            self.say(f"{self._at}: its worker has no turn of {name}")
            return
        actions = [self._action(part.split()) for part in " ".join(asked).split(",") if part.strip()]
        task.on_done(task, TurnResult(actions=actions))

    def _action(self, words: Sequence[str]) -> Action:
        verb, *rest = words
        if verb in _ENDS:
            return CompleteWorkflow(seq=-1, status=_ENDS[verb], result=" ".join(rest) or None)
        seq, *rest = rest
        match verb:
            case "activity":
                return ScheduleActivity(seq=int(seq), name="charge")
            case "timer":
                return CreateTimer(seq=int(seq), fire_at=self._person.clock.now_ns() + int(rest[0]) * NANOS)
            case "child":
                return StartChild(seq=int(seq), instance_id=rest[0], name="ship")
            case "send":
                return SendEvent(seq=int(seq), instance_id=rest[0], name=rest[1])
            case _:
                raise ValueError(f"story: expected an action, found {verb!r}")

    def answer(self, words: Sequence[str]) -> None:
        """`answer order-7#0`."""
        [key] = words
        person, name = self._person, self._at
        task = person.activities[key]
        if person.host.pool.take_activity(task.token) is None:
            self.say(f"{name}: {key} is answered already, ignored")
            return
        result = activity_result(task.event.name, task.event.input)
        event = ActivityCompleted(at=0, seq=task.event.seq, result=str(result))
        task.on_done(task, encode_event(event), lambda _: self.say(f"{name}: answer of {key}: ok"))


_VERBS: dict[str, Callable[[Story, Sequence[str]], None]] = {
    name: getattr(Story, name)
    for name in (
        *("boot", "crash", "advance", "store", "start", "event", "suspend", "resume", "terminate", "turn", "answer"),
    )
}
