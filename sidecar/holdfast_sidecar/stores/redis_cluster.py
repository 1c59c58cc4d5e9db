"""A Redis Cluster: a partition's keys share a hash slot, a slot has one master, and slots move."""

from __future__ import annotations

from asyncio import TaskGroup
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, cast

from redis.crc import key_slot
from redis.exceptions import MovedError, ResponseError

from holdfast_sidecar.stores.contract import StoreError
from holdfast_sidecar.stores.redis_link import Command, Item, Node, Script, answers, calls, check
from holdfast_sidecar.stores.urls import Address

_REDIRECTS_MAX: Final = 3


class _Part(NamedTuple):
    """A command, its slot, and which items it carries."""

    command: Command
    slot: int
    numbers: Sequence[int]


class Cluster:
    """Only what a node says it did not do is sent elsewhere; what may have been done is a StoreError.

    While a slot is on its way it serves no command of several keys (ASK, TRYAGAIN): that is a StoreError too.
    """

    def __init__(
        self, seeds: Sequence[Address], make_node: Callable[[Address], Node], *, waits_for_replicas: bool
    ) -> None:
        self.waits_for_replicas = waits_for_replicas
        self._seeds = tuple(seeds)
        self._make_node = make_node
        self._nodes = dict[Address, Node]()
        self._slots = dict[int, Address]()
        self._is_stale = True

    async def open(self) -> None:
        await self._learn_slots()

    async def close(self) -> None:
        for node in self._nodes.values():
            await node.close()

    def nodes(self) -> Sequence[Node]:
        return [self._node(address) for address in dict.fromkeys(self._slots.values())]

    async def run(self, script: Script, items: Sequence[Item]) -> list[Any]:
        found: list[Any] = [None] * len(items)
        parts = _parts(script, items)
        for _ in range(_REDIRECTS_MAX):
            if self._is_stale:
                await self._learn_slots()
            replies = await self._send(script, parts)
            for part, reply in zip(parts, replies, strict=True):
                if not _is_moved(reply):
                    for number, answer in zip(part.numbers, answers(reply), strict=True):
                        found[number] = answer
            parts = [part for part, reply in zip(parts, replies, strict=True) if _is_moved(reply)]
            if not parts:
                return found
            self._is_stale = True
        raise StoreError(f"redis cluster: slot {parts[0].slot} was not where its masters say, {_REDIRECTS_MAX} times")

    async def _send(self, script: Script, parts: Sequence[_Part]) -> list[object]:
        """A reply per part, a MovedError where another master is to be asked."""
        replies: list[object] = [None] * len(parts)
        failures = list[StoreError]()
        shares = dict[Address, list[int]]()
        for number, part in enumerate(parts):
            shares.setdefault(self._address(part.slot), []).append(number)

        async def send(address: Address, numbers: Sequence[int]) -> None:
            try:
                share = await self._node(address).run(script, [parts[number].command for number in numbers])
            except StoreError as failure:
                failures.append(failure)
            else:
                for number, reply in zip(numbers, share, strict=True):
                    replies[number] = reply

        async with TaskGroup() as group:
            for address, numbers in shares.items():
                group.create_task(send(address, numbers))
        self._is_stale = bool(failures)
        for failure in failures:
            raise failure
        check([None if _is_moved(reply) else reply for reply in replies], server="cluster")
        return replies

    def _address(self, slot: int) -> Address:
        address = self._slots.get(slot)
        if address is None:
            self._is_stale = True
            raise StoreError(f"redis cluster: slot {slot} is served by no node; look at CLUSTER INFO")
        return address

    def _node(self, address: Address) -> Node:
        if address not in self._nodes:
            self._nodes[address] = self._make_node(address)
        return self._nodes[address]

    async def _learn_slots(self) -> None:
        last: StoreError | None = None
        for address in dict.fromkeys((*self._slots.values(), *self._seeds)):
            try:
                (table,) = await self._node(address).call([("CLUSTER", "SLOTS")])
                check([table], server=str(address))
            except StoreError as failure:
                last = failure
                continue
            self._slots = _read_slots(table, address)
            self._is_stale = False
            return
        raise StoreError(f"redis cluster: no node answers of {', '.join(map(str, self._seeds))}") from last


def _is_moved(reply: object) -> bool:
    """Older drivers know MOVED only within a cluster client of their own."""
    return isinstance(reply, MovedError) or (isinstance(reply, ResponseError) and str(reply).startswith("MOVED "))


def _parts(script: Script, items: Sequence[Item]) -> list[_Part]:
    """Items of one partition travel together, in order."""
    groups = dict[int, list[int]]()
    for number, item in enumerate(items):
        groups.setdefault(item.partition, []).append(number)
    parts = list[_Part]()
    for numbers in groups.values():
        slot, first = key_slot(items[numbers[0]].keys[0].encode()), 0
        for command, count in calls(script, [items[number] for number in numbers]):
            parts.append(_Part(command, slot, numbers[first : first + count]))
            first += count
    return parts


def _read_slots(table: object, asked: Address) -> dict[int, Address]:
    """CLUSTER SLOTS: rows of first slot, last slot, master, replicas. A node that has no name yet is the one asked."""
    slots = dict[int, Address]()
    for first, last, master, *_ in cast("list[tuple[int, int, tuple[bytes | None, int]]]", table):
        host = (master[0] or b"").decode() or asked.host
        slots.update(dict.fromkeys(range(first, last + 1), Address(host, master[1])))
    return slots
