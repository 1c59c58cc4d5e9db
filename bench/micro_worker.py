"""What the worker's machinery costs: frames in, frames out, without a network and without a sidecar.

    python -m bench.micro_worker [--workflows 3000] [--repeat 5] [--case hello-64]

A stand-in for the sidecar accepts what the worker decides and gives every activity back to be run. Only the processor
time of the worker's side counts, as medians of several repetitions, so that two versions of the code can be compared
on a machine that others use too.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import holdfast
from bench.clients import native
from holdfast_kit.clock import Clock, SystemClock
from holdfast_kit.ids import Ids, SystemIds
from holdfast_proto.codec import encode_event
from holdfast_proto.history import ActivityCompleted, ActivityScheduled, TurnStarted, WorkflowStarted
from holdfast_proto.v1 import worker_pb2 as pb

AT = 1_790_000_000_000_000_000
ITEMS_MAX = 128
CASES = {  # workflow, its input, how many at a time, how many of them for one of the others
    "hello-1": ("hello", 5, 1, 1),
    "hello-64": ("hello", 5, 64, 1),
    "one-1": ("hello", 1, 1, 1),
    "fan-1000": ("fan", 1000, 1, 300),
    "fan-100x20": ("fan", 100, 20, 30),
}


@dataclass
class Instance:
    id: str
    count: int = 0  # rows of its history
    turn: int = 0  # the token of the turn that the worker has, 0 for none
    sent: int = 0  # facts of that turn
    inbox: list[bytes] = field(default_factory=list[bytes])


class Sidecar:
    """Connection, stream and sidecar in one. `cpu` is what it has used itself."""

    target = "nowhere"
    namespace = ""

    def __init__(self) -> None:
        self.clock: Clock = SystemClock()
        self.ids: Ids = SystemIds()
        self.cpu = 0.0
        self.frames = [0, 0]
        self.ended = 0
        self.more: Callable[[], None] = lambda: None  # called when an instance has ended
        self._frame = pb.RawSidecarFrame()
        self._full: deque[pb.RawSidecarFrame] = deque()
        self._items = 0
        self._is_over = False
        self._wake = asyncio.Event()
        self._tokens = 0
        self._sent: dict[int, tuple[Instance, int]] = {}  # by token: the activity's seq

    def start(self, instance_id: str, *, workflow: str, payload: str) -> None:
        """Not counted as the worker's."""
        began = time.process_time()
        instance = Instance(instance_id)
        started = WorkflowStarted(
            at=AT, name=workflow, instance_id=instance_id, execution_id=instance_id, input=payload
        )
        instance.inbox.append(encode_event(started))
        self._send_turn(instance, workflow)
        self.cpu += time.process_time() - began

    # -- the stream ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def open(self, method: str) -> AsyncGenerator[Sidecar]:
        self._item().welcome.protocol = 1
        yield self

    async def pause(self, seconds: float) -> None:
        raise RuntimeError("the worker lost its stream")

    async def read(self) -> bytes | None:
        while not self._items and not self._full:
            if self._is_over:
                return None
            self._wake.clear()
            await self._wake.wait()
        began = time.process_time()
        if self._full:
            frame = self._full.popleft()
        else:
            frame, self._frame, self._items = self._frame, pb.RawSidecarFrame(), 0
        data = frame.SerializeToString()
        self.frames[1] += 1
        self.cpu += time.process_time() - began
        return data

    async def write(self, data: bytes, /) -> None:
        began = time.process_time()
        self.frames[0] += 1
        frame = pb.WorkerFrame.FromString(data)
        for turn in frame.turns:
            instance = self._sent.pop(turn.token)[0]
            instance.count += instance.sent
            instance.turn = 0
            self._decided(instance, turn)
        for done in frame.activities:
            self._take(*self._sent.pop(done.token), done)
        for step in frame.fused:
            instances = [self._sent.pop(done.token)[0] for done in step.results]
            assert step.based_on == instances[0].count, "a step that a sidecar would refuse"
            instances[0].count += 1 + len(instances)
            self._decided(instances[0], step)
        self.cpu += time.process_time() - began
        await asyncio.sleep(0)

    async def done_writing(self) -> None:
        self._is_over = True
        self._wake.set()

    def cancel(self) -> None:
        """The context ends it."""

    # -- inside ----------------------------------------------------------------------------------------------------

    def _take(self, instance: Instance, seq: int, done: pb.ActivityDone) -> None:
        instance.inbox.append(encode_event(ActivityCompleted(at=AT, seq=seq, result=done.result)))
        if not instance.turn:
            self._send_turn(instance, "")

    def _send_turn(self, instance: Instance, name: str) -> None:
        turn = self._item().turns.add()
        turn.token = instance.turn = self._token(instance, 0)
        turn.instance_id = turn.execution_id = instance.id
        turn.name = name
        turn.past_count = instance.count
        turn.new.extend((encode_event(TurnStarted(at=AT)), *instance.inbox))
        instance.sent = 1 + len(instance.inbox)
        instance.inbox.clear()

    def _decided(self, instance: Instance, done: pb.TurnDone | pb.FusedStep) -> None:
        for action in done.actions:
            if action.HasField("complete_workflow"):
                self.ended += 1
                self.more()
                return
            asked = action.schedule_activity
            event = ActivityScheduled(at=AT, seq=action.seq, name=asked.name, input=asked.input.value)
            item = self._item().activities.add()
            item.token = self._token(instance, action.seq)
            item.instance_id = item.execution_id = instance.id
            item.event = encode_event(event)
            item.delivery = 1
            instance.count += 1
        if instance.inbox:
            self._send_turn(instance, "")

    def _item(self) -> pb.RawSidecarFrame:
        if self._items == ITEMS_MAX:
            self._full.append(self._frame)
            self._frame, self._items = pb.RawSidecarFrame(), 0
        self._items += 1
        self._wake.set()
        return self._frame

    def _token(self, instance: Instance, seq: int) -> int:
        self._tokens += 1
        self._sent[self._tokens] = (instance, seq)
        return self._tokens


async def measure(case: str, workflows: int) -> tuple[float, list[float]]:
    """Microseconds of the worker per workflow; and frames up and down per workflow."""
    workflow, value, in_flight, fewer = CASES[case]
    number = max(in_flight, workflows // fewer)
    sidecar = Sidecar()
    worker = holdfast.Worker(
        native.hello, native.fan, native.nothing, address=sidecar, liveness_file=None, blocked_after=0
    )
    over = asyncio.Event()
    started = 0

    def start_one() -> None:
        nonlocal started
        if started < number:
            sidecar.start(f"i{started}", workflow=workflow, payload=str(value))
            started += 1
        elif sidecar.ended == number:
            over.set()

    sidecar.more = start_one
    async with worker:
        began = time.process_time() - sidecar.cpu
        before = list(sidecar.frames)
        for _ in range(in_flight):
            start_one()
        async with asyncio.timeout(600):
            await over.wait()
        took = time.process_time() - sidecar.cpu - began
        frames = [(now - then) / number for now, then in zip(sidecar.frames, before, strict=True)]
    return took / number * 1e6, frames


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workflows", type=int, default=3000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--case", action="append", choices=list(CASES))
    options = parser.parse_args(arguments)
    for case in options.case or CASES:
        asyncio.run(measure(case, options.workflows // 10))
        runs = [asyncio.run(measure(case, options.workflows)) for _ in range(options.repeat)]
        took = statistics.median(us for us, _ in runs)
        up, down = runs[0][1]
        steps = CASES[case][1]
        print(
            f"{case:12} {took:9.1f} us/workflow {took / steps:7.1f} us/activity"
            f"   least {min(runs)[0]:9.1f}   frames {up:.2f} up, {down:.2f} down"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
