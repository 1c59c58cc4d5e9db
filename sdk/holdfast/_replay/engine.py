"""One run of a workflow: facts in, actions out.

    history = turns;  turn = TurnStarted, what arrived, what the code asked for (its confirmations)

A Run is fed facts in turns. What lies in the past is replayed: the code runs as it did then, and each thing that it
asks for must be the next confirmation. What is new makes new actions. After each fact the code runs until it waits, so
the order of the facts is the order in which the code learns of them, however they were packed into turns.

The run stays alive between turns and is fed only what is new; or it is built anew from the whole history. Both give the
same. `count` says for how many facts of the history a run stands once its last outcome has been accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any, Final, Protocol

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from holdfast._replay.desk import Desk
from holdfast._replay.determinism import CONFIRMATIONS, UNCONFIRMED, done, recorded, waiting
from holdfast._replay.driver import live
from holdfast._replay.failures import failure_of, inner_errors
from holdfast._replay.loop import ReplayTask, Timer, new_loop
from holdfast._replay.operations import ChildCall
from holdfast._replay.outcome import TurnOutcome
from holdfast.errors import ContinueAsNew, HistoryMismatch, NonDeterminism
from holdfast_proto.actions import CancelActivity, CompleteWorkflow
from holdfast_proto.history import (
    ActivityCompleted,
    ActivityFailed,
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    EventReceived,
    HistoryEvent,
    Resumed,
    Rewound,
    Stalled,
    Status,
    Suspended,
    TerminateRequested,
    TimerFired,
    TurnStarted,
    WorkflowCompleted,
    WorkflowStarted,
)


class Script(Protocol):
    """The code of one version of a workflow, as the run needs it. Payloads are text."""

    @property
    def version(self) -> str | None: ...

    def begin(self, run: Run, payload: str | None) -> Any:
        """The coroutine or generator to run. Called once, in the first turn; what it raises fails the workflow."""
        ...

    def encode(self, result: Any) -> str | None: ...


class Scripts(Protocol):
    """The workflows of a worker."""

    def find(self, started: WorkflowStarted, chosen: str | UnsetType | None) -> Script:
        """The code for this start. `chosen` is the version that the history says was taken; UNSET: nothing ran yet."""
        ...


_ANY_SIZE: Final = 1 << 62
Report = Callable[["Run", dict[str, Any]], None]


def no_report(_: Run, __: dict[str, Any]) -> None:
    """Nobody listens."""


class Run(Desk):
    """Fed with `advance`. Not for two threads at once; between turns any thread may go on with it.

    opened -- turn --> waiting -- turn --> ... -- turn --> ended
                          |
                          `-- Suspended --> held (facts queue up) -- Resumed --> waiting
    """

    __slots__ = (
        "_end",
        "_held",
        "_is_terminated",
        "_late",
        "_main",
        "_report",
        "_script",
        "_scripts",
        "_version_name",
        "count",
    )

    _script: Script
    _version_name: str | None  # to be recorded with the first turn

    def __init__(self, scripts: Scripts, *, report: Report = no_report, payload_bytes_max: int = _ANY_SIZE) -> None:
        super().__init__(payload_bytes_max=payload_bytes_max)
        self._scripts = scripts
        self._report = report
        self._held: list[HistoryEvent] | None = None  # facts that wait for a resume
        self._late: list[EventReceived] | None = None  # events for the next generation, when it wants them
        self._end: CompleteWorkflow | None = None
        self._is_terminated = False
        self._main: ReplayTask[None] | None = None
        self.count = 0

    # ---- for the worker --------------------------------------------------------------------------------------------

    def advance(
        self, new: Sequence[HistoryEvent], *, past: Sequence[HistoryEvent] = (), is_repaired: bool = False
    ) -> TurnOutcome:
        """Replays `past` (only into a run that stands for nothing yet), then lives through the turn `new`.

        `is_repaired`: the history was rewound; what the code asks for and the history lacks is asked for anew.
        Raises NonDeterminism, VersionNotAvailable or HistoryMismatch; the run is of no use after that.
        """
        begun = new[0] if new else None
        if not isinstance(begun, TurnStarted):
            raise HistoryMismatch(f"a turn: expected TurnStarted first, found {_kinds(new)}")
        if self._end is not None or (past and self.count):
            raise HistoryMismatch("a turn for an ended run, or a past for one that has its own: replay it all anew")
        if not self.count:
            self._open(past, new)
        with self.loop:
            if past:
                self._replay(past, is_repaired or _has_empty_turn(past, new))
            self.begin_turn(begun)
            for event in new[1:]:
                self._take(event)
            self.count += len(new)
            return self._close_turn()

    def replay(self, past: Sequence[HistoryEvent], *, is_repaired: bool = False) -> None:
        """Only checks that the code fits a recorded history, ended or not."""
        self._open(past, ())
        with self.loop:
            self._replay(past, is_repaired or _has_empty_turn(past, ()))

    def close(self) -> None:
        """Gives the run up and frees what it holds. Harmless at any time but during its turn."""
        if self._main is not None:
            self.loop.close()
        self._main = None
        self.activities.clear()
        self.others.clear()

    @property
    def has_ended(self) -> bool:
        return self._end is not None

    @property
    def waits_for_activities_only(self) -> bool:
        """No timer, child or resume can make it go on: nothing but answers of activities, or somebody from outside."""
        return bool(self.activities) and not self.others and self._held is None

    def where(self) -> str:
        """The lines of user code at which the run waits, for people."""
        return waiting(task.get_coro() for task in self.loop.unfinished())

    def report(self, context: dict[str, Any]) -> None:
        self._report(self, context)

    # ---- turns -------------------------------------------------------------------------------------------------------

    def _open(self, past: Sequence[HistoryEvent], new: Sequence[HistoryEvent]) -> None:
        """Finds what the run must know before its first fact: the clock's origin, the start, the version."""
        first: TurnStarted | None = None
        for events in (past, new):
            for event in events:
                if first is None and isinstance(event, TurnStarted):
                    first = event
                elif isinstance(event, WorkflowStarted):
                    self.info = event
                    self.now = self.started_at = event.at if first is None else first.at
                    self._script = self._scripts.find(event, _chosen(first) if past else UNSET)
                    self._version_name = None if past else self._script.version
                    self.loop = new_loop(self)
                    return
        raise HistoryMismatch("a run that begins without WorkflowStarted: the whole history is needed")

    def _replay(self, past: Sequence[HistoryEvent], is_repaired: bool) -> None:
        self.is_replaying = True
        self.ledger.begin_replay(is_repaired=is_repaired)
        for row, event in enumerate(past):
            if type(event) in CONFIRMATIONS:
                self._confirm(event, row)
                continue
            if type(event) is TurnStarted and not self.ledger.close_replayed():
                raise self._differs(row, event)
            self._take(event)
        if not self.ledger.close_replayed():
            raise self._differs(len(past), None)
        self.ledger.end_replay()
        self.count = len(past)
        self.is_replaying = False

    def _confirm(self, event: HistoryEvent, row: int) -> None:
        if isinstance(event, WorkflowCompleted) and event.status is Status.TERMINATED:
            self.ledger.skip()
        elif not self.ledger.confirm(event):
            raise self._differs(row, event)
        elif isinstance(event, ChildScheduled) and isinstance(child := self.others.get(event.seq), ChildCall):
            child.instance_id = event.instance_id  # a rerun gives children other names

    def _differs(self, row: int, event: HistoryEvent | None) -> NonDeterminism:
        action, site = self.ledger.unconfirmed()
        return NonDeterminism(
            instance_id=self.instance_id,
            event=row,
            recorded=recorded(event),
            done=done(action),
            where=self.where() if site is None else str(site),
        )

    def _close_turn(self) -> TurnOutcome:
        actions = self.ledger.close()
        self.count += len(actions)
        for action in actions:
            if type(action) in UNCONFIRMED:
                self.count -= 1
        if self._end is not None:
            self.count -= 1
            if self._late:
                actions[-1] = replace(self._end, carryover=(*self._end.carryover, *self._late))
        custom_status, self.custom_status = self.custom_status, UNSET
        version_name, self._version_name = self._version_name, None
        return TurnOutcome(
            actions=actions,
            custom_status=custom_status,
            patches=self.take_new_patches(),
            version_name=version_name,
            has_ended=self._end is not None,
        )

    # ---- facts -------------------------------------------------------------------------------------------------------

    def _take(self, event: HistoryEvent) -> None:
        if self._end is not None:
            if self._late is not None and isinstance(event, EventReceived):
                self._late.append(event)
        elif self._held is not None and not isinstance(event, _NEVER_HELD):
            self._held.append(event)
        else:
            self._apply(event)
            try:
                self.loop.run_ready()
            except SystemExit as error:  # sys.exit() in a workflow ends the workflow, not the worker
                self.fail(error)

    def _apply(self, event: HistoryEvent) -> None:
        match event:
            case ActivityCompleted():
                if (call := self.activities.pop(event.seq, None)) is not None:
                    call.answer(event.result)
            case TurnStarted():
                self.begin_turn(event)
            case TimerFired():
                if isinstance(timer := self.others.pop(event.seq, None), Timer):
                    self.loop.fire(timer)
            case EventReceived():
                self.events.deliver(event)
            case ActivityFailed():
                if (call := self.activities.pop(event.seq, None)) is not None:
                    call.fail(event.failure)
            case ChildCompleted():
                if isinstance(child := self.others.pop(event.seq, None), ChildCall):
                    child.answer(event.result)
            case ChildFailed():
                if isinstance(child := self.others.pop(event.seq, None), ChildCall):
                    child.fail(event.failure)
            case _:
                self._steer(event)

    def _steer(self, event: HistoryEvent) -> None:
        match event:
            case WorkflowStarted() if self._main is None:
                # An empty context: what the worker's tasks keep in theirs must not reach workflow code.
                self._main = self.loop.create_task(live(self, event.input), context=Context())
            case Suspended():
                self._held = self._held or []
            case Resumed():
                self._resume()
            case TerminateRequested():
                self._terminate(event)
            case Rewound() | Stalled() | WorkflowStarted():
                pass
            case _:
                raise HistoryMismatch(f"a new fact: expected something that arrived, found {_kinds([event])}")

    def _resume(self) -> None:
        held, self._held = self._held or [], None
        for event in held:
            self._take(event)

    def _terminate(self, event: TerminateRequested) -> None:
        """The code gets CancelledError and may tidy up, but all that leaves is that its activities are cancelled."""
        self._is_terminated = True
        length = len(self.ledger)
        if self._main is not None:
            self._main.cancel()
            self.loop.run_ready()
        for call in list(self.activities.values()):
            call.cancel()
        self.ledger.drop_from(length, keeping=CancelActivity)
        self._finish(Status.TERMINATED, result=event.output)

    # ---- the code and its end ----------------------------------------------------------------------------------------

    def begin(self, payload: str | None) -> Any:
        return self._script.begin(self, payload)

    def encode(self, result: Any) -> str | None:
        payload = self._script.encode(result)
        self.check_size(payload, what=f"result of {self.info.name}()")
        return payload

    def succeed(self, payload: str | None) -> None:
        if not self._is_terminated:
            self._finish(Status.COMPLETED, result=payload)

    def fail(self, error: BaseException) -> None:
        if self._is_terminated:
            return
        again = _continue_within(error)
        if again is not None:
            self._continue(again)
        else:
            was_canceled = isinstance(error, asyncio.CancelledError)
            self._finish(Status.CANCELED if was_canceled else Status.FAILED, failure=failure_of(error))

    def _continue(self, again: ContinueAsNew) -> None:
        carried: tuple[EventReceived, ...] = ()
        if again.carries_events:
            self._late = []
            carried = tuple(self.events.unread)
        self._finish(
            Status.CONTINUED_AS_NEW, result=again.input, carryover=carried, new_version=again.version, tags=again.tags
        )

    def _finish(self, status: Status, **outcome: Any) -> None:
        self._end = CompleteWorkflow(seq=self.next_seq(), status=status, **outcome)
        self.ledger.emit(self._end)
        self.loop.forget_ready()


_NEVER_HELD = (TurnStarted, Suspended, Resumed, TerminateRequested, WorkflowStarted)


def _continue_within(error: BaseException) -> ContinueAsNew | None:
    """A TaskGroup wraps what its tasks raise."""
    if isinstance(error, ContinueAsNew):
        return error
    for inner in inner_errors(error):
        if (found := _continue_within(inner)) is not None:
            return found
    return None


def _chosen(first: TurnStarted | None) -> str | None:
    return None if first is None else first.version_name


def _has_empty_turn(past: Sequence[HistoryEvent], new: Sequence[HistoryEvent]) -> bool:
    """Only a repaired history has turns in which nothing arrived."""
    if len(new) == 1:
        return True
    after_start = False
    for event in past:
        kind = type(event)
        if after_start and (kind is TurnStarted or kind in CONFIRMATIONS):
            return True
        after_start = kind is TurnStarted
    return False


def _kinds(events: Sequence[HistoryEvent]) -> str:
    return ", ".join(type(event).__name__ for event in events) or "nothing"
