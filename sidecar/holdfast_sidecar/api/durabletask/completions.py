"""What workers answer: turns, activities, and work that they give back.

Most clients echo the token of the work item; some echo none, and are known by instance and seq. An answer to work that
nobody waits for any more is answered OK and changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from holdfast_proto.codec import encode_event
from holdfast_proto.history import ActivityCompleted, ActivityFailed
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.ports import ActivityTask, TurnTask
from holdfast_sidecar.api.durabletask import requests, shared
from holdfast_sidecar.api.durabletask.errors import BadRequest
from holdfast_sidecar.api.durabletask.model import ActivityAnswer
from holdfast_sidecar.api.durabletask.tokens import Work, read_token
from holdfast_sidecar.api.durabletask.wire import Malformed, fields
from holdfast_sidecar.api.durabletask.worker import DurableTaskWorker
from holdfast_sidecar.core.errors import HoldfastError
from holdfast_sidecar.core.turn import TurnResult

_log = logging.getLogger(__name__)

_TURN_INSTANCE, _TURN_TOKEN = 1, 4  # of OrchestratorResponse, the same in every dialect
OK = b""


class Completions:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._pool = host.pool

    def calls(self) -> dict[str, Callable[[bytes], Awaitable[bytes]]]:
        return {
            "CompleteOrchestratorTask": self.turn,
            "CompleteWorkflowTask": self.turn,
            "CompleteActivityTask": self.activity,
            "AbandonTaskActivityWorkItem": self.abandon,
            "AbandonTaskOrchestratorWorkItem": self.abandon,
        }

    async def turn(self, data: bytes) -> bytes:
        task = self._turn_task(data)
        if task is None or not isinstance(task.worker, DurableTaskWorker):
            return OK
        worker, token = task.worker, task.token
        answer = worker.read_turn_answer(data)
        if answer.requires_history:
            worker.resend_whole(task)
            return OK
        actions = worker.whole(token, answer)
        if actions is None:
            return OK
        self._pool.take_turn(token)
        worker.turn_finished(token)
        task.on_done(
            task,
            TurnResult(
                actions=actions,
                custom_status=answer.custom_status,
                patches=answer.patches,
                version_name=answer.version_name,
                turn_trace=answer.trace or None,
                dialect=worker.stream.dialect.value,
            ),
        )
        self._pool.refill(worker)
        return OK

    async def activity(self, data: bytes) -> bytes:
        """Answered when the result is durable: then the worker may forget it."""
        answer = shared.read_activity_answer(data)
        task = self._activity_task(answer)
        if task is None:
            return OK
        worker, token = task.worker, task.token
        self._pool.take_activity(token)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def reply(error: HoldfastError | None) -> None:
            if durable.done():
                return
            if error is None:
                durable.set_result(None)
            else:
                durable.set_exception(error)

        task.on_done(task, self._event(task, answer), reply)
        if isinstance(worker, DurableTaskWorker):
            worker.activity_finished(token)
            self._pool.refill(worker)
        await durable
        return OK

    async def abandon(self, data: bytes) -> bytes:
        token = read_token(requests.read_abandon(data))
        if token is not None and token.work is Work.TURN:
            self._pool.give_back_turn(token.dispatch)
        elif token is not None:
            self._pool.give_back_activity(token.dispatch)
        return OK

    def _event(self, task: ActivityTask, answer: ActivityAnswer) -> bytes:
        now, scheduled = self._host.clock.now_ns(), task.event
        if answer.failure is not None:
            return encode_event(
                ActivityFailed(
                    at=now,
                    seq=scheduled.seq,
                    failure=answer.failure,
                    task_execution_id=scheduled.task_execution_id,
                )
            )
        return encode_event(
            ActivityCompleted(
                at=now, seq=scheduled.seq, result=answer.result, task_execution_id=scheduled.task_execution_id
            )
        )

    def _turn_task(self, data: bytes) -> TurnTask | None:
        try:
            found = {
                field.number: field.value for field in fields(data) if field.number in (_TURN_INSTANCE, _TURN_TOKEN)
            }
        except Malformed as error:
            raise BadRequest("turn answer", expected="an encoded OrchestratorResponse", found=str(error)) from error
        text = found.get(_TURN_TOKEN)
        if isinstance(text, bytes) and text:
            token = read_token(text.decode("utf-8", "replace"))
            return None if token is None or token.work is not Work.TURN else self._pool.peek_turn(token.dispatch)
        instance_id = found.get(_TURN_INSTANCE)
        if not isinstance(instance_id, bytes):
            return None
        return self._pool.find_turn(instance_id.decode("utf-8", "replace"))

    def _activity_task(self, answer: ActivityAnswer) -> ActivityTask | None:
        if answer.token:
            token = read_token(answer.token)
            return (
                None if token is None or token.work is not Work.ACTIVITY else self._pool.peek_activity(token.dispatch)
            )
        return self._pool.find_activity(answer.instance_id, answer.seq)
