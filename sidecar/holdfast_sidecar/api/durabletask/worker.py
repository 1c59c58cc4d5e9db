"""One Durable Task worker: the pool's Worker over a stream of work items."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final

from holdfast_kit.clock import Clock, Handle
from holdfast_proto.actions import Action
from holdfast_proto.codec import Kind
from holdfast_sidecar.actors.ports import SAVE_AFTER, ActivityTask, CancelReason, TurnTask
from holdfast_sidecar.api.durabletask import frames, microsoft
from holdfast_sidecar.api.durabletask.dialect import Stream, after_answer
from holdfast_sidecar.api.durabletask.model import ActivityCall, Dialect, TurnAnswer, TurnCall
from holdfast_sidecar.api.durabletask.past import Holdings, Pasts
from holdfast_sidecar.api.durabletask.tokens import Token, Work, write_token

OUTSTANDING: Final = 100  # of a worker that says no limit; one client silently drops what is beyond 110
OUTSTANDING_MAX: Final = 10_000
TURN_QUICK: Final = 0.01  # seconds
TURN_WEIGHT: Final = 0.1  # of the newest turn in what one is expected to take
PING_PERIOD: Final = 30.0  # seconds; the strictest client gives up a stream that is silent for 120


class DurableTaskWorker:
    def __init__(self, worker_id: str, stream: Stream, *, pasts: Pasts, clock: Clock) -> None:
        self.id = worker_id
        self.stream = stream
        self.echoes_tokens = False  # known from its first answer
        self._turns_max = min(stream.workflows_max or OUTSTANDING, OUTSTANDING_MAX)
        self._activities_max = min(stream.activities_max or OUTSTANDING, OUTSTANDING_MAX)
        self._turns: dict[int, tuple[TurnTask, float]] = {}  # with the time at which it was sent
        self._turn_took = 0.0  # seconds, of late
        self._activities: dict[int, ActivityTask] = {}
        self._partial: dict[int, list[Action]] = {}
        self._pasts = pasts
        self._holdings = Holdings()
        self._frames: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._is_closed = False
        self._is_quiet = True  # nothing was sent since the last tick
        self._clock = clock
        self._ticker: Handle | None = clock.call_later(PING_PERIOD, self._tick) if stream.ping else None

    # -- the pool's side -------------------------------------------------------------------------------------------

    @property
    def free_turns(self) -> int:
        if len(self._turns) >= self._turns_max:
            self._turns = {token: sent for token, sent in self._turns.items() if sent[0].token == token}
        return 0 if self._is_closed else self._turns_max - len(self._turns)

    @property
    def free_activities(self) -> int:
        if len(self._activities) >= self._activities_max:
            self._activities = {token: task for token, task in self._activities.items() if task.token == token}
        return 0 if self._is_closed else self._activities_max - len(self._activities)

    @property
    def patience(self) -> float:
        """A thread of it stands still until an answer is durable. When its turns are slow anyway, that thread may be
        the one that they wait for."""
        return SAVE_AFTER if self._turn_took <= TURN_QUICK else 0.0

    def takes_turn(self, name: str, label: str | None) -> bool:
        filters = self.stream.filters
        return filters is None or _wants(filters.workflows, name, label)

    def takes_activity(self, name: str, version: str | None) -> bool:
        filters = self.stream.filters
        return filters is None or _wants(filters.activities, name, version)

    def push_turn(self, task: TurnTask) -> None:
        self._turns[task.token] = task, self._clock.monotonic()
        words = self.stream.words
        kinds = words.kinds(task.new)
        past, cached = self._past(task, kinds)
        call = TurnCall(
            instance_id=task.instance_id,
            execution_id=task.execution_id,
            past=past,
            new=frames.rows_of_kinds(task.new, kinds),
            trace=task.turn_trace if task.dialect == self.stream.dialect.value else b"",
            cached=cached,
        )
        self._send(words.turn_item(call, write_token(Token(Work.TURN, task.token))))

    def push_activity(self, task: ActivityTask) -> None:
        self._activities[task.token] = task
        event = task.event
        call = ActivityCall(
            instance_id=task.instance_id,
            execution_id=task.execution_id,
            seq=event.seq,
            name=event.name,
            version=event.version,
            input=event.input,
            trace=event.trace,
            tags=event.tags,
            task_execution_id=event.task_execution_id,
        )
        self._send(self.stream.words.activity_item(call, write_token(Token(Work.ACTIVITY, task.token))))

    def cancel_activity(self, task: ActivityTask, reason: CancelReason) -> None:
        """These clients have no word for it: the activity runs on, its answer is for nobody."""

    def forget(self, instance_id: str) -> None:
        self._holdings.forget(instance_id)

    def _past(self, task: TurnTask, kinds: frozenset[Kind]) -> tuple[bytes | bytearray, int]:
        return self._holdings.since(task, kinds) if self.stream.caches_history else (self._pasts.of(task, kinds), 0)

    # -- the stream's side -----------------------------------------------------------------------------------------

    def read_turn_answer(self, data: bytes) -> TurnAnswer:
        self.stream = after_answer(self.stream, data)
        if self.stream.dialect is Dialect.UNKNOWN:  # it shows none, and holds nothing that they read differently
            return microsoft.read_turn_answer(data)
        return self.stream.words.read_turn_answer(data)

    def whole(self, token: int, answer: TurnAnswer, *, actions_max: int) -> tuple[Action, ...] | None:
        """The actions of an answer that may come in chunks; None until the last of them is here, or they are too many
        anyway."""
        actions = (*self._partial.pop(token, ()), *answer.actions)
        if not answer.is_partial or len(actions) > actions_max:
            return actions
        self._partial[token] = list(actions)
        return None

    def turn_finished(self, token: int) -> None:
        sent = self._turns.pop(token, None)
        if sent is not None:
            took = min(self._clock.monotonic() - sent[1], SAVE_AFTER)  # how much longer does not matter
            self._turn_took += (took - self._turn_took) * TURN_WEIGHT
        self._partial.pop(token, None)

    def let_go(self, instance_id: str) -> None:
        """The run has ended: nobody asks for its past again."""
        self._pasts.forget(instance_id, self.stream.words.kinds(()))
        self._holdings.forget(instance_id)

    def activity_finished(self, token: int) -> None:
        self._activities.pop(token, None)

    def close(self) -> None:
        self._is_closed = True
        self._wake.set()
        if self._ticker is not None:
            self._ticker.cancel()

    async def next(self) -> bytes | None:
        """The next frame; None when the stream shall end. Ends at once: what is left goes to others."""
        while not self._is_closed:
            if self._frames:
                return self._frames.popleft()
            self._wake.clear()
            await self._wake.wait()
        return None

    def _send(self, frame: bytes) -> None:
        self._is_quiet = False
        self._frames.append(frame)
        self._wake.set()

    def _tick(self) -> None:
        """Only where `stream.ping` is a frame that the client knows."""
        if self._is_quiet and not self._frames:
            self._send(self.stream.ping)
        self._is_quiet = True
        self._ticker = self._clock.call_later(PING_PERIOD, self._tick)


def _wants(names: Mapping[str, frozenset[str]], name: str, version: str | None) -> bool:
    versions = names.get(name)
    return versions is not None and (not versions or (version or "") in versions)
