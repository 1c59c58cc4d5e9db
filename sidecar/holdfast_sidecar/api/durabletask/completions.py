"""What workers answer: turns, activities, and work that they give back.

Most clients echo the token of the work item; some echo none, and are known by instance and seq. An answer to work that
nobody waits for any more is answered OK and changes nothing. Nothing here waits, so none of it needs a task.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from google.protobuf.message import DecodeError

from holdfast_kit.rpc.call import Reply
from holdfast_proto.actions import Action, CompleteWorkflow, Stall
from holdfast_proto.codec import encode_event
from holdfast_proto.durabletask import dapr_pb2, microsoft_pb2
from holdfast_proto.history import StallReason
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.ports import ActivityTask, TurnTask
from holdfast_sidecar.api.answers import outcome_of
from holdfast_sidecar.api.durabletask import requests, shared
from holdfast_sidecar.api.durabletask.errors import BadRequest
from holdfast_sidecar.api.durabletask.model import ActivityAnswer, TurnAnswer
from holdfast_sidecar.api.durabletask.parsing import parsed
from holdfast_sidecar.api.durabletask.tokens import Token, Work, read_token
from holdfast_sidecar.api.durabletask.turns import SUBJECT
from holdfast_sidecar.api.durabletask.worker import DurableTaskWorker
from holdfast_sidecar.api.refusal import refusal
from holdfast_sidecar.core.errors import HoldfastError
from holdfast_sidecar.core.turn import TurnResult

_log = logging.getLogger(__name__)

OK = b""


class Completions:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._pool = host.pool

    def calls(self) -> dict[str, Callable[[bytes, Reply], None]]:
        return {
            "CompleteOrchestratorTask": self.turn,
            "CompleteWorkflowTask": self.turn,
            "CompleteActivityTask": self.activity,
            "AbandonTaskActivityWorkItem": self.abandon,
            "AbandonTaskOrchestratorWorkItem": self.abandon,
        }

    # -- turns -----------------------------------------------------------------------------------------------------

    def turn(self, data: bytes, reply: Reply) -> None:
        task = self._turn_task(data)
        if task is not None and isinstance(task.worker, DurableTaskWorker):
            self._turn_answered(task.worker, task, data)
        reply.answer(OK)

    def _turn_answered(self, worker: DurableTaskWorker, task: TurnTask, data: bytes) -> None:
        try:
            answer = worker.read_turn_answer(data)
        except BadRequest as error:
            self._close_turn(worker, task, _unreadable(error, worker))
            raise
        if answer.requires_history:
            worker.forget(task.instance_id)
            self._give_back(Token(Work.TURN, task.token))
            return
        actions = worker.whole(task.token, answer, actions_max=self._host.limits.actions_max)
        if actions is not None:
            self._close_turn(worker, task, _result(answer, actions, worker))

    def _close_turn(self, worker: DurableTaskWorker, task: TurnTask, result: TurnResult) -> None:
        token = task.token
        self._pool.take_turn(token)
        worker.turn_finished(token)
        if result.actions and isinstance(result.actions[-1], CompleteWorkflow):
            worker.let_go(task.instance_id)
        task.on_done(task, result)
        self._pool.refill(worker)

    def _turn_task(self, data: bytes) -> TurnTask | None:
        instance_id, text = _whose(data)
        if not text:
            task = self._pool.find_turn(instance_id)
            return None if task is None or _echoes(task) else task
        token = read_token(text)
        task = None if token is None or token.work is not Work.TURN else self._pool.peek_turn(token.dispatch)
        _note_echo(task)
        return task

    # -- activities ------------------------------------------------------------------------------------------------

    def activity(self, data: bytes, reply: Reply) -> None:
        """Answered when the result is durable: then the worker may forget it."""
        answer = shared.read_activity_answer(data)
        task = self._activity_task(answer)
        if task is None:
            reply.answer(OK)
            return
        worker, token = task.worker, task.token
        self._pool.take_activity(token)

        def kept(error: HoldfastError | None) -> None:
            if error is None:
                reply.answer(OK)
            else:
                reply.refuse(refusal(error))

        task.on_done(task, self._event(task, answer), kept)
        if isinstance(worker, DurableTaskWorker):
            worker.activity_finished(token)
            self._pool.refill(worker)

    def _event(self, task: ActivityTask, answer: ActivityAnswer) -> bytes:
        now, limits = self._host.clock.now_ns(), self._host.limits
        return encode_event(
            outcome_of(task.event, result=answer.result, failure=answer.failure, now=now, limits=limits)
        )

    def _activity_task(self, answer: ActivityAnswer) -> ActivityTask | None:
        if not answer.token:
            task = self._pool.find_activity(answer.instance_id, answer.seq)
            return None if task is None or _echoes(task) else task
        token = read_token(answer.token)
        task = None if token is None or token.work is not Work.ACTIVITY else self._pool.peek_activity(token.dispatch)
        _note_echo(task)
        return task

    # -- given back ------------------------------------------------------------------------------------------------

    def abandon(self, data: bytes, reply: Reply) -> None:
        token = read_token(requests.read_abandon(data))
        if token is not None:
            self._give_back(token)
        reply.answer(OK)

    def _give_back(self, token: Token) -> None:
        """The worker has room for other work meanwhile."""
        is_turn = token.work is Work.TURN
        task = self._pool.peek_turn(token.dispatch) if is_turn else self._pool.peek_activity(token.dispatch)
        if task is None or not isinstance(task.worker, DurableTaskWorker):
            return
        worker = task.worker
        if is_turn:
            self._pool.give_back_turn(token.dispatch)
            worker.turn_finished(token.dispatch)
        else:
            self._pool.give_back_activity(token.dispatch)
            worker.activity_finished(token.dispatch)
        self._pool.refill(worker)


def _result(answer: TurnAnswer, actions: tuple[Action, ...], worker: DurableTaskWorker) -> TurnResult:
    return TurnResult(
        actions=actions,
        custom_status=answer.custom_status,
        patches=answer.patches,
        names_all_patches=True,  # those of Dapr do; no other worker begins a history with patches
        version_name=answer.version_name,
        turn_trace=answer.trace or None,
        dialect=worker.stream.dialect.value,
    )


def _unreadable(error: BadRequest, worker: DurableTaskWorker) -> TurnResult:
    """Whoever holds the turn would answer the same again: the instance stands still and says why."""
    stall = Stall(reason=StallReason.CONTRADICTION, description=str(error))
    return TurnResult(actions=(stall,), dialect=worker.stream.dialect.value)


def _whose(data: bytes) -> tuple[str, str]:
    """The instance and the token of an answer to a turn: the two fields that need no dialect. Where the others are no
    text in one schema they are in the other one."""
    try:
        response = microsoft_pb2.OrchestratorResponse.FromString(data)
    except DecodeError:
        other = parsed(dapr_pb2.OrchestratorResponse, data, SUBJECT)
        return other.instance_id, other.completion_token
    return response.instance_id, response.completion_token


def _echoes(task: TurnTask | ActivityTask) -> bool:
    """An answer without a token is none of a worker that echoes them, nor of a native one."""
    return not isinstance(task.worker, DurableTaskWorker) or task.worker.echoes_tokens


def _note_echo(task: TurnTask | ActivityTask | None) -> None:
    if task is not None and isinstance(task.worker, DurableTaskWorker):
        task.worker.echoes_tokens = True
