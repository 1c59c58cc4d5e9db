"""One Durable Task worker: the pool's Worker over a stream of work items."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final

from holdfast_proto.actions import Action
from holdfast_proto.codec import Kind
from holdfast_sidecar.actors.ports import ActivityTask, CancelReason, TurnTask
from holdfast_sidecar.api.durabletask import frames
from holdfast_sidecar.api.durabletask.dialect import Stream, after_answer
from holdfast_sidecar.api.durabletask.model import ActivityCall, TurnAnswer, TurnCall
from holdfast_sidecar.api.durabletask.past import Holdings, Pasts
from holdfast_sidecar.api.durabletask.tokens import Token, Work, write_token

OUTSTANDING: Final = 100  # of a worker that says no limit; one client silently drops what is beyond 110
OUTSTANDING_MAX: Final = 10_000
PING_PERIOD: Final = 30.0  # seconds; the strictest client gives up a stream that is silent for 120


class DurableTaskWorker:
    def __init__(self, worker_id: str, stream: Stream, pasts: Pasts) -> None:
        self.id = worker_id
        self.stream = stream
        self._turns_max = min(stream.workflows_max or OUTSTANDING, OUTSTANDING_MAX)
        self._activities_max = min(stream.activities_max or OUTSTANDING, OUTSTANDING_MAX)
        self._turns: dict[int, TurnTask] = {}
        self._activities: dict[int, ActivityTask] = {}
        self._partial: dict[int, list[Action]] = {}
        self._pasts = pasts
        self._holdings = Holdings()
        self._frames: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._is_closed = False

    # -- the pool's side -------------------------------------------------------------------------------------------

    @property
    def free_turns(self) -> int:
        if len(self._turns) >= self._turns_max:
            self._turns = {token: task for token, task in self._turns.items() if task.token == token}
        return 0 if self._is_closed else self._turns_max - len(self._turns)

    @property
    def free_activities(self) -> int:
        if len(self._activities) >= self._activities_max:
            self._activities = {token: task for token, task in self._activities.items() if task.token == token}
        return 0 if self._is_closed else self._activities_max - len(self._activities)

    def takes_turn(self, name: str, label: str | None) -> bool:
        filters = self.stream.filters
        return filters is None or _wants(filters.workflows, name, label)

    def takes_activity(self, name: str, version: str | None) -> bool:
        filters = self.stream.filters
        return filters is None or _wants(filters.activities, name, version)

    def push_turn(self, task: TurnTask) -> None:
        self._turns[task.token] = task
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
        self._send(words.turn_item(call, self._token(Work.TURN, task.instance_id, task.token)))

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
        token = self._token(Work.ACTIVITY, task.instance_id, task.token)
        self._send(self.stream.words.activity_item(call, token))

    def cancel_activity(self, task: ActivityTask, reason: CancelReason) -> None:
        """These clients have no word for it: the activity runs on, its answer is for nobody."""

    def forget(self, instance_id: str) -> None:
        self._holdings.forget(instance_id)

    def _past(self, task: TurnTask, kinds: frozenset[Kind]) -> tuple[bytes | bytearray, int]:
        return self._holdings.since(task, kinds) if self.stream.caches_history else (self._pasts.of(task, kinds), 0)

    def _token(self, work: Work, instance_id: str, number: int) -> str:
        return write_token(
            Token(
                dialect=self.stream.dialect, work=work, instance_id=instance_id, generation=0, number=0, dispatch=number
            )
        )

    # -- the stream's side -----------------------------------------------------------------------------------------

    def read_turn_answer(self, data: bytes) -> TurnAnswer:
        self.stream = after_answer(self.stream, data)
        return self.stream.words.read_turn_answer(data)

    def whole(self, token: int, answer: TurnAnswer) -> tuple[Action, ...] | None:
        """The actions of an answer that may come in chunks; None until the last of them is here."""
        if answer.is_partial:
            self._partial.setdefault(token, []).extend(answer.actions)
            return None
        return (*self._partial.pop(token, ()), *answer.actions)

    def turn_finished(self, token: int) -> None:
        self._turns.pop(token, None)

    def activity_finished(self, token: int) -> None:
        self._activities.pop(token, None)

    def resend_whole(self, task: TurnTask) -> None:
        """The worker lost what it had cached."""
        self.forget(task.instance_id)
        self.push_turn(task)

    def close(self) -> None:
        self._is_closed = True
        self._wake.set()

    def _send(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._wake.set()

    async def next(self) -> bytes | None:
        """The next work item, or a ping when there was none for a while; None when the stream shall end."""
        while not self._frames:
            if self._is_closed:
                return None
            self._wake.clear()
            try:
                async with asyncio.timeout(PING_PERIOD):
                    await self._wake.wait()
            except TimeoutError:
                if self.stream.ping:
                    return self.stream.ping
        return self._frames.popleft()


def _wants(names: Mapping[str, frozenset[str]], name: str, version: str | None) -> bool:
    versions = names.get(name)
    return versions is not None and (not versions or (version or "") in versions)
