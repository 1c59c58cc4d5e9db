"""One instance against a slow model: any messages in any order, turns that overlap with them, crashes, lost commits."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from msgspec.structs import replace

from holdfast_proto.actions import (
    Action,
    CancelActivity,
    CancelTimer,
    CompleteWorkflow,
    CreateTimer,
    ScheduleActivity,
    SendEvent,
    StartChild,
)
from holdfast_proto.codec import encode_event
from holdfast_proto.history import ActivityCompleted, ActivityFailed, ChildCompleted, Failure, HistoryEvent, Status
from holdfast_sidecar.core.decision import RunActivity, Send
from holdfast_sidecar.core.messages import (
    ActivityAnswer,
    ChildAnswer,
    Message,
    Purge,
    ReusePolicy,
    Rewind,
    Start,
    Terminate,
)
from holdfast_sidecar.core.messages import (
    StartChild as StartChildMessage,
)
from holdfast_sidecar.core.repair import recover
from holdfast_sidecar.core.turn import Contradiction, Turn, TurnResult, close_turn
from tests.unit.sidecar.core import derive
from tests.unit.sidecar.core.model import Model, kinds_after
from tests.unit.sidecar.core.stage import ID, RESUME, SECOND, SUSPEND, Stage, event, parent_of, start

NEVER = 253_402_300_799_999_999_999
SEQS = st.integers(0, 3)
FAR = st.integers(0, 20)
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(ScheduleActivity, seq=SEQS, name=st.just("charge")),
    st.builds(CreateTimer, seq=SEQS, fire_at=st.sampled_from([-1, 0, 1_500 * SECOND, 3_000 * SECOND, NEVER])),
    st.builds(StartChild, seq=SEQS, instance_id=st.just(""), name=st.just("ship")),
    st.builds(CancelActivity, seq=SEQS),
    st.builds(CancelTimer, seq=SEQS),
    st.builds(SendEvent, seq=SEQS, instance_id=st.just("other"), name=st.just("paid")),
)
ENDS = st.sampled_from([Status.COMPLETED, Status.FAILED, Status.CONTINUED_AS_NEW])
TURNS = st.tuples(st.lists(ACTIONS, max_size=4), st.one_of(st.none(), st.none(), st.none(), ENDS)).map(
    lambda drawn: [*drawn[0], *([CompleteWorkflow(seq=-1, status=drawn[1])] if drawn[1] is not None else [])]
)
POLICIES = st.sampled_from(
    [ReusePolicy(), ReusePolicy(replaceable=frozenset(Status)), ReusePolicy(replaceable=frozenset())]
)
CHANGES: list[Message] = [
    Terminate(instance_id=ID),
    Terminate(instance_id=ID, recurse=True),
    Rewind(instance_id=ID),
    Rewind(instance_id=ID),
    Purge(instance_id=ID),
    Purge(instance_id=ID, is_forced=True),
]


class OneInstance(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()
        self.thinking: Turn | None = None
        self.fired: list[tuple[int, int]] = []  # every (seq, due_at) that a reminder ever had
        self.starts = 0

    # -- seeing ----------------------------------------------------------------------------------------------------

    @property
    def unsaved(self) -> list[HistoryEvent]:
        instance = self.stage.instance
        if instance is None:
            return []
        return [arrival.event for arrival in instance.inbox[instance.record.inbox_length :]]

    def model(self) -> Model:
        return Model(self.stage.store.stored(ID), self.unsaved)

    def tell(self, message: Message) -> None:
        self.stage.settle()
        expected = self.model().expects(message)
        was = self.stage.instance
        received = self.stage.tell(message)
        assert type(received).__name__ == expected
        if self.stage.instance is not was or self.stage.instance is None or self._has_ended():
            self.thinking = None  # the shell takes a turn of a replaced, deleted or ended instance back
        self._note_reminders()

    def _has_ended(self) -> bool:
        return self.stage.live.record.status.is_terminal

    def _note_reminders(self) -> None:
        stored = self.stage.store.stored(ID)
        for reminder in () if stored is None else stored.reminders:
            if reminder.name.startswith("timer-"):
                found = (int(reminder.name.removeprefix("timer-")), reminder.due_at)
                if found not in self.fired:
                    self.fired.append(found)

    # -- messages --------------------------------------------------------------------------------------------------

    @initialize(may_wait=st.booleans())
    def begin(self, may_wait: bool) -> None:
        self.tell(replace(start(ID, "run-0"), may_wait=may_wait))

    @rule(drawn=st.one_of(st.tuples(st.integers(0, 3), POLICIES, st.booleans()), st.sampled_from(CHANGES)))
    def change(self, drawn: tuple[int, ReusePolicy, bool] | Message) -> None:
        """What ends a run or begins another one; seldom, so that runs live long enough to become interesting."""
        if isinstance(drawn, tuple):
            number, policy, may_wait = drawn
            event = start(ID, f"run-{number}").event
            drawn = Start(instance_id=ID, event=event, policy=policy, may_wait=may_wait)
        self.tell(drawn)

    @rule(source=st.sampled_from(["", "a", "b", "c"]))
    def event(self, source: str) -> None:
        self.tell(event("paid", source=source))

    @rule(message=st.sampled_from([SUSPEND, RESUME, RESUME]))
    def control(self, message: Message) -> None:
        self.tell(message)

    @precondition(lambda self: self.stage.runs)
    @rule(number=FAR, fails=st.booleans())
    def answer(self, number: int, fails: bool) -> None:
        run: RunActivity = self.stage.runs[-1 - number % len(self.stage.runs)]
        seq = run.event.seq
        done: HistoryEvent = ActivityCompleted(at=0, seq=seq)
        if fails:
            done = ActivityFailed(at=0, seq=seq, failure=Failure(kind="No", message="no"))
        self.tell(ActivityAnswer(instance_id=ID, execution_id=run.execution_id, row=run.row, event=encode_event(done)))

    @property
    def children(self) -> list[Send]:
        return [send for send in self.stage.sends if isinstance(send.message, StartChildMessage)]

    @precondition(lambda self: self.children)
    @rule(number=FAR)
    def child_answer(self, number: int) -> None:
        parent = parent_of(self.children[-1 - number % len(self.children)])
        assert parent.execution_id is not None
        done = encode_event(ChildCompleted(at=0, seq=parent.seq))
        self.tell(ChildAnswer(instance_id=ID, execution_id=parent.execution_id, row=parent.row, event=done))

    @precondition(lambda self: self.fired and self.stage.instance is not None)
    @rule(number=FAR)
    def fire(self, number: int) -> None:
        self.stage.settle()
        seq, due_at = self.fired[-1 - number % len(self.fired)]
        expected = self.model().expects_timer(seq, due_at)
        assert type(self.stage.fire_as(seq, due_at)).__name__ == expected

    @precondition(lambda self: self.stage.instance is not None and self.stage.live.outbox)
    @rule(number=FAR)
    def confirm(self, number: int) -> None:
        names = list(self.stage.live.outbox)
        self.stage.live.confirm(names[number % len(names)])

    # -- turns -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.thinking is None and self.stage.instance and self.stage.live.is_turn_due)
    @rule()
    def think(self) -> None:
        self.thinking = self.stage.think()

    @precondition(lambda self: self.thinking is None and self.stage.instance and self.stage.live.is_turn_due)
    @rule(actions=TURNS)
    def turn(self, actions: list[Action]) -> None:
        self.think()
        self.close(actions)

    @precondition(lambda self: self.thinking is not None)
    @rule(actions=TURNS)
    def close(self, actions: list[Action]) -> None:
        turn, self.thinking = self.thinking, None
        assert turn is not None
        model = self.model()
        if model.contradicts(actions, turn.count):
            with pytest.raises(Contradiction):
                self.stage.close(turn, *actions)
            return
        self.stage.close(turn, *actions)
        assert self.stage.kinds() == kinds_after(model, actions, turn.count)
        self._note_reminders()

    @precondition(lambda self: self.thinking is not None)
    @rule(actions=TURNS)
    def close_and_lose_the_commit(self, actions: list[Action]) -> None:
        """The decision is made and never reaches the store: nothing of the instance may have changed by it."""
        turn, self.thinking = self.thinking, None
        assert turn is not None
        if not self.model().contradicts(actions, turn.count):
            stage = self.stage
            close_turn(stage.live, turn, TurnResult(actions=actions), limits=stage.limits, now=stage.now)
        self.crash()

    # -- the store -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.stage.instance is not None and self.stage.live.needs_save)
    @rule()
    def save(self) -> None:
        before = self.model().inbox
        self.stage.save()
        assert self.stage.inbox == before

    @rule()
    def crash(self) -> None:
        self.thinking = None
        self.stage.crash()

    @precondition(lambda self: self.stage.instance is not None)
    @rule()
    def recovery_sends_exactly_what_is_open(self) -> None:
        self.stage.settle()
        model, stage = self.model(), self.stage
        assert model.stored is not None
        orders = recover(stage.live)
        owed = {reminder.name for reminder in model.stored.reminders if reminder.name.startswith("run-")}
        runs = [order for order in orders if isinstance(order, RunActivity)]
        assert len({(run.execution_id, run.row) for run in runs}) == len(runs)
        open_runs = [run for run in runs if f"run-{run.execution_id}-{run.row}" not in owed]
        is_ended = model.stored.record.status.is_terminal
        expected = {} if is_ended else derive.open_activities(model.history)
        assert {run.event.seq for run in open_runs} == {
            seq for seq, row in expected.items() if model.is_open("activity", seq, row)
        }


@pytest.mark.parametrize("steps", [12, 60])
def test_an_instance_is_what_the_slow_model_says(steps: int) -> None:
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    chosen = settings(max_examples=6_000 // steps, stateful_step_count=steps, deadline=None, suppress_health_check=slow)
    run_state_machine_as_test(OneInstance, settings=chosen)
