"""Apps that are played inside the process of the engine: HelloSequence with five steps, in the words of each protocol.

They answer bytes with bytes, as a client does, and count the time they take, so that it can be taken off.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count

from holdfast_kit.rpc.status import Aborted
from holdfast_proto.durabletask import microsoft_pb2 as dt
from holdfast_proto.history import Status
from holdfast_proto.v1 import client_pb2 as client_pb
from holdfast_proto.v1 import history_pb2 as history_pb
from holdfast_proto.v1 import worker_pb2 as pb
from holdfast_sidecar.actors.engine import Engine
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.api.durabletask.completions import Completions
from holdfast_sidecar.api.durabletask.dialect import open_stream
from holdfast_sidecar.api.durabletask.management import Management
from holdfast_sidecar.api.durabletask.past import Pasts
from holdfast_sidecar.api.durabletask.worker import DurableTaskWorker
from holdfast_sidecar.api.native.calls import answer
from holdfast_sidecar.api.native.worker import NativeWorker

STEPS = 5
SLOTS = 1_000


class _Timed:
    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def _own(self) -> Generator[None]:
        began = time.thread_time()
        yield
        self.seconds += time.thread_time() - began


class _Run:
    """What the native app keeps of an instance."""

    __slots__ = ("count", "step", "token")

    def __init__(self, token: int, count: int) -> None:
        self.token = token
        self.count = count
        self.step = 0


class NativeApp(_Timed):
    """Fuses every step, as the SDK does."""

    def __init__(self, host: Host, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._numbers = count(1)
        self._runs: dict[str, _Run] = {}
        names = [pb.WorkflowName(name="hello")]
        self._worker = NativeWorker(
            host, pb.WorkerHello(worker_id="app", workflows=names, activities=["nothing"]), number=1
        )
        host.pool.connect(self._worker)
        self._worker.take(pb.WorkerFrame(credits=pb.Credits(turns=SLOTS, activities=SLOTS)))

    async def work(self) -> None:
        while (data := await self._worker.outbox.next()) is not None:
            with self._own():
                sent = self._answers(pb.SidecarFrame.FromString(data)).SerializeToString()
            self._worker.take(pb.WorkerFrame.FromString(sent))

    def _answers(self, frame: pb.SidecarFrame) -> pb.WorkerFrame:
        answers = pb.WorkerFrame()
        for turn in frame.turns:
            run = self._runs[turn.instance_id] = _Run(turn.token, turn.past_count + len(turn.new) + 1)
            done = answers.turns.add(token=turn.token, is_cached=True)
            self._schedule(done.actions.add(), run)
        for activity in frame.activities:
            run = self._runs[activity.instance_id]
            step = answers.fused.add(turn_token=run.token, based_on=run.count, turn_time=time.time_ns(), is_cached=True)
            step.results.add(token=activity.token, result=activity.event.activity_scheduled.input.value)
            if run.step < STEPS:
                run.count += 3
                self._schedule(step.actions.add(), run)
            else:
                step.is_cached = False
                self._end(step.actions.add(), run)
                del self._runs[activity.instance_id]
        answers.credits.turns, answers.credits.activities = len(frame.turns), len(frame.activities)
        return answers

    def _schedule(self, action: history_pb.Action, run: _Run) -> None:
        action.seq = run.step
        action.schedule_activity.name = "nothing"
        action.schedule_activity.input.value = str(run.step)
        run.step += 1

    def _end(self, action: history_pb.Action, run: _Run) -> None:
        action.seq = run.step
        action.complete_workflow.status = Status.COMPLETED
        action.complete_workflow.result.value = str(STEPS)

    async def run(self, instance_id: str) -> None:
        with self._own():
            request = client_pb.Request(id=next(self._numbers))
            start = request.run.start
            start.name, start.input = "hello", str(STEPS)
            start.instance_id, start.execution_id = instance_id, f"run-of-{instance_id}"
            sent = request.SerializeToString()
        reply = await self._ask(sent)
        with self._own():
            outcome = client_pb.Reply.FromString(reply).outcome
            assert (outcome.status, outcome.output) == (Status.COMPLETED, str(STEPS)), outcome

    async def _ask(self, sent: bytes) -> bytes:
        return (await answer(self._engine, client_pb.Request.FromString(sent))).SerializeToString()


class _Reply:
    """This app goes on with what comes next, not with the answer."""

    def answer(self, message: bytes, /) -> None: ...

    def refuse(self, error: Aborted, /) -> None:
        raise error


class DurableTaskApp(_Timed):
    """As Microsoft's Python package: every turn with its whole past, every answer a call of its own."""

    def __init__(self, host: Host, engine: Engine) -> None:
        super().__init__()
        self._completions = Completions(host)
        self._management = Management(engine, host.clock)
        request = dt.GetWorkItemsRequest(
            max_concurrent_orchestration_work_items=SLOTS, max_concurrent_activity_work_items=SLOTS
        )
        stream = open_stream(request.SerializeToString())
        self._worker = DurableTaskWorker("app", stream, pasts=Pasts(), clock=host.clock)
        host.pool.connect(self._worker)

    async def work(self) -> None:
        while (data := await self._worker.next()) is not None:
            with self._own():
                item = dt.WorkItem.FromString(data)
                is_turn = item.HasField("orchestrator_request")
                sent = self._turn(item) if is_turn else self._activity(item)
            (self._completions.turn if is_turn else self._completions.activity)(sent, _Reply())

    def _turn(self, item: dt.WorkItem) -> bytes:
        request = item.orchestrator_request
        events = [*request.past_events, *request.new_events]
        step = sum(event.HasField("task_completed") for event in events)
        response = dt.OrchestratorResponse(instance_id=request.instance_id, completion_token=item.completion_token)
        action = response.actions.add(id=step + 1)
        if step < STEPS:
            action.schedule_task.name = "nothing"
            action.schedule_task.input.value = str(step)
        else:
            action.complete_orchestration.orchestration_status = Status.COMPLETED
            action.complete_orchestration.result.value = str(STEPS)
        return response.SerializeToString()

    def _activity(self, item: dt.WorkItem) -> bytes:
        request = item.activity_request
        response = dt.ActivityResponse(
            instance_id=request.orchestration_instance.instance_id,
            task_id=request.task_id,
            completion_token=item.completion_token,
        )
        response.result.value = request.input.value
        return response.SerializeToString()

    async def run(self, instance_id: str) -> None:
        with self._own():
            start = dt.CreateInstanceRequest(instance_id=instance_id, name="hello")
            start.input.value = str(STEPS)
            sent = start.SerializeToString()
        await self._management.start(sent)
        with self._own():
            sent = dt.GetInstanceRequest(instance_id=instance_id, get_inputs_and_outputs=True).SerializeToString()
        reply = await self._management.wait_for_end(sent)
        with self._own():
            state = dt.GetInstanceResponse.FromString(reply).orchestration_state
            assert state.output.value == str(STEPS), state
