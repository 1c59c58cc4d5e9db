"""The client process: starts what is planned, does to it what is planned, and writes down what was acknowledged.

    python -m tests.integration.crash.client ADDRESS[,ADDRESS] SEED INSTANCES SPAN FOLDER

It leaves `acks` (what the sidecar said is done) and `snapshots` (histories as they were at some moment) in the folder.
It is never killed: what it wrote is what an outside world would rely on.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from holdfast.client import Client
from holdfast.errors import LimitReached, SidecarUnavailable
from holdfast_proto.codec import encode_event, event_of
from holdfast_proto.history import Failure, HistoryEvent, Status
from holdfast_proto.v1 import client_pb2 as pb
from tests.integration.crash.plan import Event, Planned, make_plan
from tests.support.anywhere import Anywhere, Asks

_AGAIN_S: Final = 0.1
_SNAPSHOT_S: Final = 0.02
_HISTORY_MAX: Final = 2_000


class Ack(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that the sidecar has confirmed."""

    did: str  # start, event, terminate, pause, resume, end
    id: str
    at: int
    source: str = ""
    status: Status = Status.RUNNING
    output: str | None = None
    failure: str = ""
    custom_status: str | None = None


class Snapshot(msgspec.Struct, frozen=True):
    id: str
    rows: list[str]


def fingerprint(event: HistoryEvent) -> str:
    return sha1(encode_event(event), usedforsecurity=False).hexdigest()


class Crowd:
    """All clients of a run in one process."""

    def __init__(self, client: Asks, folder: Path, *, seed: int) -> None:
        self._client = client
        self._acks = (folder / "acks").open("wb", buffering=0)
        self._snapshots = (folder / "snapshots").open("wb", buffering=0)
        self._rng = Random(seed)
        self._started: list[str] = []
        self._began = time.monotonic()
        self.refused = 0

    async def act(self, plan: Sequence[Planned]) -> None:
        """Until every instance has ended."""
        async with asyncio.TaskGroup() as group:
            snapshots = group.create_task(self._take_snapshots())
            async with asyncio.TaskGroup() as actors:
                for planned in plan:
                    actors.create_task(self._live(planned))
            snapshots.cancel()

    async def _live(self, planned: Planned) -> None:
        await asyncio.sleep(max(0.0, planned.start_s - (time.monotonic() - self._began)))
        await self._start(planned)
        if planned.pauses_s:
            await self._do("pause", planned.id, pb.Request(pause=pb.PauseRequest(instance_id=planned.id)))
        if planned.is_shuffled:
            async with asyncio.TaskGroup() as group:
                for number, event in enumerate(planned.events):
                    group.create_task(self._send(planned.id, number, event))
        else:
            for number, event in enumerate(planned.events):
                await self._send(planned.id, number, event)
        if planned.pauses_s:
            await asyncio.sleep(planned.pauses_s)
            await self._do("resume", planned.id, pb.Request(resume=pb.ResumeRequest(instance_id=planned.id)))
        if planned.terminate_s:
            await asyncio.sleep(planned.terminate_s)
            assert isinstance(planned.ending.output, str)
            output = json.dumps(planned.ending.output)
            call = pb.TerminateCall(instance_id=planned.id, output=output, recurse=True)
            await self._do("terminate", planned.id, pb.Request(terminate=call))
        await self._wait(planned)

    async def _start(self, planned: Planned) -> None:
        """Half of those that are left alone are run in one request: then the end says that it was started."""
        start = pb.StartRequest(
            name=planned.workflow,
            input=json.dumps(planned.input),
            instance_id=planned.id,
            execution_id=f"run-of-{planned.id}",
            scheduled_at=time.time_ns() + int(planned.delay_s * 1e9) if planned.delay_s else 0,
        )
        runs = planned.is_left_alone and self._rng.random() < 0.5
        request = pb.Request(run=pb.RunRequest(start=start)) if runs else pb.Request(start=start)
        await self._do("start", planned.id, request)
        self._started.append(planned.id)

    async def _send(self, instance_id: str, number: int, event: Event) -> None:
        await asyncio.sleep(event.after_s)
        source = f"{instance_id}/{number}"
        sent = pb.RaiseEventRequest(
            instance_id=instance_id, name=event.name, input=json.dumps(event.value), source=source
        )
        await self._do("event", instance_id, pb.Request(raise_event=sent), source=source)

    async def _wait(self, planned: Planned) -> None:
        reply = await self._ask(pb.Request(wait=pb.WaitRequest(instance_id=planned.id, with_payloads=True)))
        found = reply.found.instance
        failure = Failure(kind=found.failure.kind, message="") if found.HasField("failure") else None
        self._write(
            Ack(
                "end",
                planned.id,
                time.time_ns(),
                status=Status(found.status),
                output=found.output if found.HasField("output") else None,
                failure="" if failure is None else failure.kind,
                custom_status=found.custom_status if found.HasField("custom_status") else None,
            )
        )

    async def _do(self, did: str, instance_id: str, request: pb.Request, *, source: str = "") -> None:
        await self._ask(request)
        self._write(Ack(did, instance_id, time.time_ns(), source))

    async def _ask(self, request: pb.Request) -> pb.Reply:
        """Asks again what was refused because of the store or the load; nothing else may be refused."""
        while True:
            try:
                return await self._client.ask(request)
            except (SidecarUnavailable, LimitReached) as error:
                self.refused += 1
                print(f"asking again: {error}", flush=True)
                await asyncio.sleep(_AGAIN_S)

    def _write(self, ack: Ack) -> None:
        self._acks.write(msgspec.json.encode(ack) + b"\n")

    async def _take_snapshots(self) -> None:
        while True:
            await asyncio.sleep(_SNAPSHOT_S)
            if not self._started:
                continue
            instance_id = self._rng.choice(self._started[-100:])
            reply = await self._ask(pb.Request(history=pb.HistoryRequest(instance_id=instance_id, limit=_HISTORY_MAX)))
            rows = [fingerprint(event_of(event)) for event in reply.history.events]
            self._snapshots.write(msgspec.json.encode(Snapshot(instance_id, rows)) + b"\n")


async def run(addresses: Sequence[str], plan: Sequence[Planned], folder: Path, *, seed: int) -> None:
    if len(addresses) > 1:
        async with Anywhere(addresses, rng=Random(seed)) as anywhere:
            await Crowd(anywhere, folder, seed=seed).act(plan)
            print(f"all {len(plan)} have ended; {anywhere}", flush=True)
        return
    async with Client(addresses[0]) as client:
        crowd = Crowd(client, folder, seed=seed)
        await crowd.act(plan)
        print(f"all {len(plan)} have ended; {crowd.refused} requests had to be repeated", flush=True)


def main(arguments: Sequence[str]) -> None:
    addresses, seed, instances, span, folder = arguments
    plan = make_plan(seed=int(seed), instances=int(instances), span_s=float(span))
    asyncio.run(run(addresses.split(","), plan, Path(folder), seed=int(seed)))


if __name__ == "__main__":
    main(sys.argv[1:])
