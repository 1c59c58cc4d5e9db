"""The workflows of a simulated world: a plan is the instance's input, and one interpreter runs every plan.

A plan is a list of steps. The interpreter is what an SDK is: it reads the whole history from the start, goes through
the plan as far as the answers allow, and asks for what is missing. It keeps nothing between turns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from holdfast_proto.actions import (
    Action,
    CancelActivity,
    CancelTimer,
    CompleteWorkflow,
    CreateTimer,
    ScheduleActivity,
    SendEvent,
    StartChild,
    StartDetached,
)
from holdfast_proto.history import (
    ActivityCancelRequested,
    ActivityCompleted,
    ActivityFailed,
    ActivityScheduled,
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    DetachedStarted,
    EventReceived,
    EventSent,
    Failure,
    HistoryEvent,
    Status,
    TimerCanceled,
    TimerCreated,
    TimerFired,
    TurnStarted,
    WorkflowStarted,
)
from holdfast_sidecar.core.turn import TurnResult

Step: TypeAlias = list[Any]
Plan: TypeAlias = list[Step]
Answer: TypeAlias = ActivityCompleted | ActivityFailed | TimerFired | ChildCompleted | ChildFailed

MILLIS = 1_000_000
ROOM = 100  # numbers that one step may use
NAME = "plan"


def encode_plan(plan: Plan) -> str:
    return json.dumps(plan)


def activity_result(name: str, payload: str | None) -> str | Failure:
    """What every activity of this world answers. `flaky w:2:3` is the third try of one that fails thrice."""
    if name == "flaky":
        _, attempt, failures = (payload or "").split(":")
        if int(attempt) < int(failures):
            return Failure(kind="Flaky", message=payload or "")
    return f"{name}({payload})"


class NotYet(Exception):
    """The plan cannot go on before something is answered."""


class Run:
    """One replay."""

    def __init__(self, events: Sequence[HistoryEvent]) -> None:
        self.actions: list[Action] = []
        self.now = 0
        self.custom_status: str | None = None
        self._asked: dict[tuple[str, int], int] = {}
        self._answers: dict[tuple[str, int], list[tuple[int, Answer]]] = {}
        self._cancelled: set[tuple[str, int]] = set()
        self._received: list[EventReceived] = []
        self.started: WorkflowStarted | None = None
        for row, event in enumerate(events):
            self._read(row, event)
        self._left = list(self._received)

    def _read(self, row: int, event: HistoryEvent) -> None:
        match event:
            case TurnStarted(at=at):
                self.now = at
            case WorkflowStarted():
                self.started = event
            case ActivityScheduled(seq=seq):
                self._ask("activity", seq)
            case ChildScheduled(seq=seq):
                self._ask("child", seq)
            case TimerCreated(seq=seq):
                self._ask("timer", seq)
            case EventSent(seq=seq) | DetachedStarted(seq=seq):
                self._ask("sent", seq)
            case ActivityCompleted(seq=seq) | ActivityFailed(seq=seq):
                self._answers.setdefault(("activity", seq), []).append((row, event))
            case ChildCompleted(seq=seq) | ChildFailed(seq=seq):
                self._answers.setdefault(("child", seq), []).append((row, event))
            case TimerFired(seq=seq):
                self._answers.setdefault(("timer", seq), []).append((row, event))
            case TimerCanceled(seq=seq):
                self._cancelled.add(("timer", seq))
            case EventReceived():
                self._received.append(event)
            case ActivityCancelRequested(seq=seq):
                self._cancelled.add(("activity", seq))
            case _:
                pass

    def _ask(self, kind: str, seq: int) -> None:
        self._asked[kind, seq] = self._asked.get((kind, seq), 0) + 1

    # -- the plan --------------------------------------------------------------------------------------------------

    def result(self) -> TurnResult:
        if self.started is None:
            raise AssertionError("a history without a start was given to a worker")
        plan: Plan = json.loads(self.started.input or "[]")
        done: list[Any] = []
        try:
            for number, step in enumerate(plan):
                value = _STEPS[step[0]](self, number * ROOM, *step[1:])
                if isinstance(value, CompleteWorkflow):
                    self.actions.append(value)
                    break
                done.append(value)
            else:
                self.actions.append(CompleteWorkflow(seq=-1, status=Status.COMPLETED, result=json.dumps(done)))
        except NotYet:
            pass
        if self.custom_status is None:
            return TurnResult(actions=self.actions)
        return TurnResult(actions=self.actions, custom_status=self.custom_status)

    # -- what steps are made of ------------------------------------------------------------------------------------

    def _asking(self, kind: str, seq: int, action: Action, *, occurrence: int = 0) -> None:
        if self._asked.get((kind, seq), 0) <= occurrence:
            self._ask(kind, seq)
            self.actions.append(action)

    def _answer(self, kind: str, seq: int, *, occurrence: int = 0) -> tuple[int, Answer] | None:
        answers = self._answers.get((kind, seq), [])
        return answers[occurrence] if len(answers) > occurrence else None

    def _needed(self, kind: str, seq: int, *, occurrence: int = 0) -> Answer:
        found = self._answer(kind, seq, occurrence=occurrence)
        if found is None:
            raise NotYet
        return found[1]

    def call(self, seq: int, word: str) -> str:
        self._asking("activity", seq, ScheduleActivity(seq=seq, name="work", input=word))
        return _text(self._needed("activity", seq))

    def fan(self, seq: int, count: int) -> list[str]:
        for number in range(count):
            self._asking("activity", seq + number, ScheduleActivity(seq=seq + number, name="work", input=str(number)))
        return [_text(self._needed("activity", seq + number)) for number in range(count)]

    def retry(self, seq: int, failures: int) -> str:
        """As Durable Task clients do it: every attempt and every wait under the same number."""
        for attempt in range(failures + 1):
            asked = ScheduleActivity(seq=seq, name="flaky", input=f"w:{attempt}:{failures}")
            self._asking("activity", seq, asked, occurrence=attempt)
            answer = self._needed("activity", seq, occurrence=attempt)
            if isinstance(answer, ActivityCompleted):
                return _text(answer)
            self._asking("timer", seq, CreateTimer(seq=seq, fire_at=self.now + 50 * MILLIS), occurrence=attempt)
            self._needed("timer", seq, occurrence=attempt)
        raise AssertionError("the last attempt never fails")

    def race(self, seq: int, millis: int) -> str:
        """An activity against a timer; the loser is called off."""
        self._asking("activity", seq, ScheduleActivity(seq=seq, name="work", input="race"))
        self._asking("timer", seq + 1, CreateTimer(seq=seq + 1, fire_at=self.now + millis * MILLIS))
        done, fired = self._answer("activity", seq), self._answer("timer", seq + 1)
        if done is None and fired is None:
            raise NotYet
        if fired is None or (done is not None and done[0] < fired[0]):
            self._cancel("timer", seq + 1, CancelTimer(seq=seq + 1))
            return "activity"
        self._cancel("activity", seq, CancelActivity(seq=seq))
        return "timer"

    def _cancel(self, kind: str, seq: int, action: Action) -> None:
        if (kind, seq) not in self._cancelled and self._answer(kind, seq) is None:
            self._cancelled.add((kind, seq))
            self.actions.append(action)

    def sleep(self, seq: int, millis: int) -> None:
        self._asking("timer", seq, CreateTimer(seq=seq, fire_at=self.now + millis * MILLIS))
        self._needed("timer", seq)

    def wait(self, seq: int, name: str) -> str | None:
        found = next((event for event in self._left if event.name == name), None)
        if found is None:
            raise NotYet
        self._left.remove(found)
        return found.input

    def child(self, seq: int, plan: Plan) -> str:
        self._asking("child", seq, StartChild(seq=seq, instance_id="", name=NAME, input=encode_plan(plan)))
        return _text(self._needed("child", seq))

    def loose(self, seq: int, plan: Plan) -> None:
        self._asking("child", seq, StartChild(seq=seq, instance_id="", name=NAME, input=encode_plan(plan)))

    def detach(self, seq: int, instance_id: str, plan: Plan) -> None:
        self._asking("sent", seq, StartDetached(seq=seq, instance_id=instance_id, name=NAME, input=encode_plan(plan)))

    def send(self, seq: int, target: str, name: str, payload: str) -> None:
        self._asking("sent", seq, SendEvent(seq=seq, instance_id=target, name=name, input=payload))

    def status(self, seq: int, text: str) -> None:
        self.custom_status = text

    def fire(self, seq: int) -> None:
        self._asking("activity", seq, ScheduleActivity(seq=seq, name="work", input="fire"))

    def fail(self, seq: int) -> CompleteWorkflow:
        return CompleteWorkflow(seq=-1, status=Status.FAILED, failure=Failure(kind="Planned", message="as planned"))

    def again(self, seq: int, plan: Plan) -> CompleteWorkflow:
        return CompleteWorkflow(
            seq=-1, status=Status.CONTINUED_AS_NEW, result=encode_plan(plan), carryover=tuple(self._left)
        )


_STEPS: dict[str, Callable[..., Any]] = {
    name: getattr(Run, name)
    for name in (
        *("call", "fan", "retry", "race", "sleep", "wait", "child", "loose", "detach", "send", "status"),
        *("fire", "fail", "again"),
    )
}


def play(events: Sequence[HistoryEvent]) -> TurnResult:
    return Run(events).result()


def waits_of(plan: Plan) -> list[str]:
    """Names of the events that a run of the plan waits for itself, in all of its generations."""
    names = list[str]()
    for step in plan:
        if step[0] == "wait":
            names.append(step[1])
        elif step[0] == "again":
            names += waits_of(step[1])
    return names


def _text(answer: Answer) -> str:
    match answer:
        case ActivityCompleted(result=result) | ChildCompleted(result=result):
            return result or ""
        case ActivityFailed(failure=failure) | ChildFailed(failure=failure):
            return f"failed: {failure.kind}"
        case _:
            return ""
