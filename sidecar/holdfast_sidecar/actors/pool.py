"""Brings turns and activities to connected workers: by name, by free slots, and to the worker that knows the instance.

A task is queued until a worker takes it, then held until it is answered. When its worker goes away it is queued again,
in front. A token names one dispatch: an answer under an older token is an answer of the past.

A turn may be what makes workers go away (it crashes them, or is more than they can receive), and takes with it whatever
else they held. One that was lost twice is a suspect:

    queued --> held --worker lost--> queued --> held --worker lost--> suspect --> held as its worker's only suspect
                                                                         ^                 | worker lost
                                                                         +-----------------+ LOST_MAX times: given up

An innocent suspect is answered then, and while a worker tests one nothing else is blamed. A turn that is given up is
answered with a stall.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import Generic, TypeVar

from holdfast_kit.clock import Clock
from holdfast_proto.actions import Stall
from holdfast_proto.history import StallReason
from holdfast_sidecar.actors.ports import ActivityTask, CancelReason, TurnTask, Worker
from holdfast_sidecar.core.turn import TurnResult

_log = logging.getLogger(__name__)

ABANDON_DELAY = 0.5  # seconds before work that a worker gave back is offered again: no hot loop
SUSPECT_AFTER = 2  # lost dispatches: one is a restart, and tells nothing
LOST_MAX = 5  # lost dispatches of one turn until it is given up

Task = TypeVar("Task", TurnTask, ActivityTask)


class _Line(Generic[Task]):
    """Queued tasks of one kind, by what a worker filters on. Names take turns, so that none starves another."""

    def __init__(self) -> None:
        self.queues: OrderedDict[tuple[str, str | None], deque[Task]] = OrderedDict()
        self.length = 0

    def push(self, key: tuple[str, str | None], task: Task, *, in_front: bool = False) -> None:
        queue = self.queues.get(key)
        if queue is None:
            queue = self.queues[key] = deque()
        (queue.appendleft if in_front else queue.append)(task)
        self.length += 1

    def pop(self, takes: Callable[[str, str | None], bool]) -> Task | None:
        for key, queue in self.queues.items():
            if not takes(*key):
                continue
            task = queue.popleft()
            self.length -= 1
            if queue:
                self.queues.move_to_end(key)
            else:
                del self.queues[key]
            return task
        return None

    def remove(self, key: tuple[str, str | None], task: Task) -> None:
        queue = self.queues.get(key)
        if queue is not None and task in queue:
            queue.remove(task)
            self.length -= 1
            if not queue:
                del self.queues[key]


class Pool:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens = count(clock.now_ns() >> 10)  # no token of an earlier process means anything here
        self._workers: dict[str, Worker] = {}
        self._turns: _Line[TurnTask] = _Line()
        self._suspects: _Line[TurnTask] = _Line()
        self._tested: dict[str, TurnTask] = {}  # by worker: the suspect that it holds
        self._activities: _Line[ActivityTask] = _Line()
        self._held_turns: dict[int, TurnTask] = {}
        self._held_activities: dict[int, ActivityTask] = {}
        self.on_connect: Callable[[], None] = lambda: None
        self.on_disconnect: Callable[[], None] = lambda: None
        self.on_activity_pushed: Callable[[ActivityTask], None] = lambda _: None

    # -- workers ---------------------------------------------------------------------------------------------------

    @property
    def workers(self) -> tuple[Worker, ...]:
        return tuple(self._workers.values())

    @property
    def queued_turns(self) -> int:
        return self._turns.length + self._suspects.length

    @property
    def queued_activities(self) -> int:
        return self._activities.length

    @property
    def running_turns(self) -> int:
        return len(self._held_turns)

    @property
    def running_activities(self) -> int:
        return len(self._held_activities)

    def running(self) -> int:
        """Turns and activities for whose answers somebody waits."""
        return len(self._held_turns) + len(self._held_activities)

    def connect(self, worker: Worker) -> None:
        self._workers[worker.id] = worker
        self.on_connect()
        self.refill(worker)

    def disconnect(self, worker: Worker) -> None:
        """Everything that the worker held goes to others, or waits for one."""
        if self._workers.get(worker.id) is not worker:
            return
        del self._workers[worker.id]
        turns = [task for task in self._held_turns.values() if task.worker is worker]
        activities = [task for task in self._held_activities.values() if task.worker is worker]
        blamed = self._tested.get(worker.id)
        for turn in turns:
            turn.lost += blamed is None or turn is blamed
            self._release_turn(turn)
        for activity in activities:
            self._release_activity(activity)
        for turn in reversed(turns):  # to the front, so that the first is first again
            self._offer_turn(turn, in_front=True)
        for activity in reversed(activities):
            self._offer_activity(activity, in_front=True)
        self.on_disconnect()

    def refill(self, worker: Worker) -> None:
        """The worker has free slots again."""
        self._test(worker)
        while self._turns.length and worker.free_turns > 0:
            turn = self._turns.pop(worker.takes_turn)
            if turn is None:
                break
            self._push_turn(worker, turn)
        while self._activities.length and worker.free_activities > 0:
            activity = self._activities.pop(worker.takes_activity)
            if activity is None:
                break
            self._push_activity(worker, activity)

    def _undeclined(self, task: TurnTask | ActivityTask) -> Iterable[Worker]:
        """Workers that may get it: one that gave it back only after every other one had its chance."""
        declined = task.declined
        workers = self._workers.values()
        return [worker for worker in workers if worker.id not in declined] if declined else workers

    def _again(self, task: Task, choose: Callable[[Task], Worker | None]) -> Worker | None:
        """Nobody is left who has room and did not give it back: a new round."""
        if not task.declined:
            return None
        task.declined = frozenset()
        return choose(task)

    # -- turns -----------------------------------------------------------------------------------------------------

    def offer_turn(self, task: TurnTask) -> None:
        self._offer_turn(task, in_front=False)

    def withdraw_turn(self, task: TurnTask) -> None:
        worker = task.worker
        if task.token and worker is not None:
            self._release_turn(task)
            self.refill(worker)
        elif not _stop_resting(task):
            self._line_of(task).remove((task.name, task.label), task)

    def take_turn(self, token: int) -> TurnTask | None:
        """The turn that this dispatch is about, no longer held; None for an answer of the past."""
        task = self._held_turns.pop(token, None)
        if task is not None:
            task.token = 0
            self._acquit(task)
        return task

    def peek_turn(self, token: int) -> TurnTask | None:
        return self._held_turns.get(token)

    def find_turn(self, instance_id: str) -> TurnTask | None:
        """For workers that echo no token: at most one turn of an instance is held."""
        return next((task for task in self._held_turns.values() if task.instance_id == instance_id), None)

    def give_back_turn(self, token: int) -> None:
        """The worker cannot run it now: offered again after a while."""
        task = self.take_turn(token)
        if task is not None:
            _decline(task)
            task.rest = self._clock.call_later(ABANDON_DELAY, lambda: self.offer_turn(task))

    def resend_turn(self, token: int) -> None:
        """Its worker could not begin with what it was sent: it gets the turn once more, under a new token."""
        task = self.take_turn(token)
        if task is not None and task.worker is not None:
            self._push_turn(task.worker, task)

    def _offer_turn(self, task: TurnTask, *, in_front: bool) -> None:
        task.rest = None
        if task.lost >= LOST_MAX:
            task.on_done(task, _given_up(task))
        elif task.lost >= SUSPECT_AFTER:
            self._suspects.push((task.name, task.label), task, in_front=in_front)
            for worker in self.workers:
                self._test(worker)
        else:
            self._offer_unsuspected(task, in_front=in_front)

    def _test(self, worker: Worker) -> None:
        """Gives it a suspect, if there is one and it has none."""
        if self._suspects.length and worker.id not in self._tested and worker.free_turns > 0:
            task = self._suspects.pop(worker.takes_turn)
            if task is not None:
                self._tested[worker.id] = task
                self._push_turn(worker, task)

    def _acquit(self, task: TurnTask) -> None:
        """Its worker may be given another suspect."""
        if task.worker is not None and self._tested.get(task.worker.id) is task:
            del self._tested[task.worker.id]

    def _line_of(self, task: TurnTask) -> _Line[TurnTask]:
        return self._suspects if task.lost >= SUSPECT_AFTER else self._turns

    def _offer_unsuspected(self, task: TurnTask, *, in_front: bool) -> None:
        worker = self._choose_for_turn(task)
        if worker is None:
            task.worker = None
            self._turns.push((task.name, task.label), task, in_front=in_front)
        else:
            self._push_turn(worker, task)

    def _choose_for_turn(self, task: TurnTask) -> Worker | None:
        preferred = task.worker
        if (
            preferred is not None
            and preferred.free_turns > 0
            and self._workers.get(preferred.id) is preferred
            and preferred.takes_turn(task.name, task.label)
        ):
            return preferred
        best, free = None, 0
        for worker in self._undeclined(task):
            if worker.free_turns > free and worker.takes_turn(task.name, task.label):
                best, free = worker, worker.free_turns
        return best or self._again(task, self._choose_for_turn)

    def _push_turn(self, worker: Worker, task: TurnTask) -> None:
        task.token = next(self._tokens)
        task.worker = worker
        task.attempt += 1
        self._held_turns[task.token] = task
        task.on_push(task)
        worker.push_turn(task)

    def _release_turn(self, task: TurnTask) -> None:
        self._held_turns.pop(task.token, None)
        self._acquit(task)
        task.token = 0
        task.worker = None

    # -- activities ------------------------------------------------------------------------------------------------

    def offer_activity(self, task: ActivityTask) -> None:
        self._offer_activity(task, in_front=False)

    def withdraw_activity(self, task: ActivityTask, reason: CancelReason) -> None:
        worker = task.worker
        if task.token and worker is not None:
            worker.cancel_activity(task, reason)
            self._release_activity(task)
            self.refill(worker)
        elif not _stop_resting(task):
            self._activities.remove((task.event.name, task.event.version), task)

    def take_activity(self, token: int) -> ActivityTask | None:
        task = self._held_activities.pop(token, None)
        if task is not None:
            task.token = 0
        return task

    def peek_activity(self, token: int) -> ActivityTask | None:
        return self._held_activities.get(token)

    def find_activity(self, instance_id: str, seq: int) -> ActivityTask | None:
        """For workers that echo no token."""
        held = self._held_activities.values()
        return next((task for task in held if task.instance_id == instance_id and task.event.seq == seq), None)

    def give_back_activity(self, token: int) -> None:
        task = self.take_activity(token)
        if task is not None:
            _decline(task)
            task.rest = self._clock.call_later(ABANDON_DELAY, lambda: self.offer_activity(task))

    def has_free_slot(self, name: str, version: str | None) -> bool:
        return any(w.free_activities > 0 and w.takes_activity(name, version) for w in self._workers.values())

    def _offer_activity(self, task: ActivityTask, *, in_front: bool) -> None:
        task.rest = None
        worker = self._choose_for_activity(task)
        if worker is None:
            self._activities.push((task.event.name, task.event.version), task, in_front=in_front)
        else:
            self._push_activity(worker, task)

    def _choose_for_activity(self, task: ActivityTask) -> Worker | None:
        name, version = task.event.name, task.event.version
        best, free = None, 0
        for worker in self._undeclined(task):
            if worker.free_activities > free and worker.takes_activity(name, version):
                best, free = worker, worker.free_activities
        return best or self._again(task, self._choose_for_activity)

    def _push_activity(self, worker: Worker, task: ActivityTask) -> None:
        task.token = next(self._tokens)
        task.worker = worker
        task.attempt += 1
        self._held_activities[task.token] = task
        worker.push_activity(task)
        self.on_activity_pushed(task)

    def _release_activity(self, task: ActivityTask) -> None:
        self._held_activities.pop(task.token, None)
        task.token = 0
        task.worker = None


def _decline(task: TurnTask | ActivityTask) -> None:
    """Its worker gave it back."""
    if task.worker is not None:
        task.declined |= {task.worker.id}
        task.worker = None


def _stop_resting(task: TurnTask | ActivityTask) -> bool:
    """Whether the task was waiting to be offered again, which it does no more."""
    if task.rest is None:
        return False
    task.rest.cancel()
    task.rest = None
    return True


def _given_up(task: TurnTask) -> TurnResult:
    description = (
        f"a worker went away with this turn of {task.name!r} {task.lost} times and gave no answer: the workflow's code "
        f"may end the process, or the history of {task.past_count} events be more than the worker can receive"
    )
    return TurnResult(actions=(Stall(reason=StallReason.WORKER_LOST, description=description),))
