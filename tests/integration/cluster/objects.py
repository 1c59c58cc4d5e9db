"""The process that uses registers and bags from several lanes at once, and writes down what each of them was told.

    python -m tests.integration.cluster.objects ADDRESS,ADDRESS SEED SECONDS FOLDER

It begins new ones for so many seconds, ends when all have ended, and leaves `objects` in the folder.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

import msgspec

from holdfast_proto.v1 import client_pb2 as pb
from tests.support.anywhere import Anywhere, Asks
from tests.support.linear import Kind, Operation
from tests.support.objects import Memory, Question, Reply

REGISTERS, BAGS = 2, 2  # at once
LANES: Final = 4
QUESTIONS: Final = 5  # of a lane
ADDS: Final = 10
PAUSE_S: Final = 3.0  # at most, between two questions: a register lives through a disturbance or two
VALUES: Final = 4  # few, so that swaps succeed now and then


class Register(msgspec.Struct, frozen=True, tag=True):
    id: str
    operations: list[Operation]


class Bag(msgspec.Struct, frozen=True, tag=True):
    id: str
    added: list[int]
    found: list[int]


Used: TypeAlias = Register | Bag
Use: TypeAlias = Callable[[int], Awaitable[Used]]


class Player:
    def __init__(self, client: Asks, folder: Path, *, seed: int, seconds: float) -> None:
        self._client = client
        self._file = (folder / "objects").open("wb", buffering=0)
        self._rng = Random(seed)
        self._until = time.monotonic() + seconds
        self._rounds = 0

    async def play(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(REGISTERS):
                group.create_task(self._again(self._use_register))
            for _ in range(BAGS):
                group.create_task(self._again(self._use_bag))

    async def _again(self, use: Use) -> None:
        while time.monotonic() < self._until:
            self._rounds += 1
            used = await use(self._rounds)
            self._file.write(msgspec.json.encode(used) + b"\n")

    # -- a register ----------------------------------------------------------------------------------------------------

    async def _use_register(self, number: int) -> Register:
        register, operations = f"register-{number:04}", list[Operation]()
        await self._start("register", register, Memory(LANES * QUESTIONS))
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._look(register, operations))
            async with asyncio.TaskGroup() as lanes:
                for lane in range(LANES):
                    lanes.create_task(self._question(register, lane, operations))
            looking.cancel()
        last = int(await self._result(register))
        now = time.monotonic_ns()
        return Register(register, [*operations, Operation(Kind.READ, now, now, last)])

    async def _question(self, register: str, lane: int, operations: list[Operation]) -> None:
        for number in range(QUESTIONS):
            await asyncio.sleep(self._rng.uniform(0, PAUSE_S))
            kind, value = self._rng.choice(list(Kind)), self._rng.randrange(VALUES)
            question = Question(register, kind, value, self._rng.randrange(VALUES))
            asker, begin = f"{register}.asker-{lane}-{number}", time.monotonic_ns()
            await self._start("asker", asker, question)
            reply = msgspec.json.decode(await self._result(asker), type=Reply)
            value = reply.value if kind is Kind.READ else value
            operation = Operation(kind, begin, time.monotonic_ns(), value, question.expected, reply.is_done)
            operations.append(operation)

    async def _look(self, register: str, operations: list[Operation]) -> None:
        """Reads at any sidecar what is committed, without asking the register."""
        while True:
            await asyncio.sleep(self._rng.uniform(0, PAUSE_S / 4))
            begin = time.monotonic_ns()
            reply = await self._client.ask(pb.Request(get=pb.GetRequest(instance_id=register, with_payloads=True)))
            if status := reply.found.instance.custom_status:
                operations.append(Operation(Kind.READ, begin, time.monotonic_ns(), int(json.loads(status))))

    # -- a bag ---------------------------------------------------------------------------------------------------------

    async def _use_bag(self, number: int) -> Bag:
        bag, added = f"bag-{number:04}", list[int]()
        await self._start("bag", bag, [])
        async with asyncio.TaskGroup() as lanes:
            for lane in range(LANES):
                lanes.create_task(self._add(bag, lane, added))
        await self._send(bag, "close", [])
        return Bag(bag, added, json.loads(await self._result(bag)))

    async def _add(self, bag: str, lane: int, added: list[int]) -> None:
        for number in range(ADDS):
            await asyncio.sleep(self._rng.uniform(0, PAUSE_S / 2))
            value = lane * ADDS + number
            await self._send(bag, str(value), [value])
            added.append(value)

    async def _send(self, bag: str, what: str, added: list[int]) -> None:
        sent = pb.RaiseEventRequest(instance_id=bag, name="add", input=json.dumps(added), source=f"{bag}/{what}")
        await self._client.ask(pb.Request(raise_event=sent))

    # -- both ----------------------------------------------------------------------------------------------------------

    async def _start(self, workflow: str, instance_id: str, given: object) -> None:
        start = pb.StartRequest(
            name=workflow,
            input=msgspec.json.encode(given).decode(),
            instance_id=instance_id,
            execution_id=f"run-of-{instance_id}",
        )
        await self._client.ask(pb.Request(start=start))

    async def _result(self, instance_id: str) -> str:
        wait = pb.WaitRequest(instance_id=instance_id, with_payloads=True)
        return (await self._client.ask(pb.Request(wait=wait))).found.instance.output


async def run(addresses: Sequence[str], folder: Path, *, seed: int, seconds: float) -> None:
    async with Anywhere(addresses, rng=Random(seed)) as client:
        await Player(client, folder, seed=seed, seconds=seconds).play()
        print(client, flush=True)


def main(arguments: Sequence[str]) -> None:
    addresses, seed, seconds, folder = arguments
    asyncio.run(run(addresses.split(","), Path(folder), seed=int(seed), seconds=float(seconds)))


if __name__ == "__main__":
    main(sys.argv[1:])
