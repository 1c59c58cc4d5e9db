"""The few methods that every way in calls: the Durable Task service, the native one, HTTP, the dashboard.

Each posts a message to the owner of an instance and waits for its reply, or reads the store. A caller that hangs up
stops the waiting, never the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from holdfast_kit.clock import Clock
from holdfast_kit.ids import Ids
from holdfast_proto.codec import decode_event, encode_event
from holdfast_proto.history import (
    ChildScheduled,
    EventReceived,
    Resumed,
    Status,
    Suspended,
    Trace,
    WorkflowStarted,
)
from holdfast_sidecar.actors.ports import Reply
from holdfast_sidecar.actors.watchers import Watch, is_met
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.errors import (
    HoldfastError,
    InstanceNotFound,
    InvalidRequest,
    PayloadTooLarge,
    Unavailable,
    WrongState,
)
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.messages import Deliver, Message, Purge, ReusePolicy, Rewind, Start, Terminate
from holdfast_sidecar.core.rerun import Rerun, plan_rerun
from holdfast_sidecar.core.state import Filter, Page, Record, Stored, View
from holdfast_sidecar.stores.contract import Store, StoreError

T = TypeVar("T")

ASK_TIMEOUT = 30.0  # seconds; a commit takes milliseconds, so this is a store or an owner that is gone
PURGE_PAGE = 200
ENDED = frozenset(status for status in Status if status.is_terminal)


class StartRequest(Struct, frozen=True, kw_only=True):
    name: str
    instance_id: str = ""  # empty: one is made
    version: str | None = None
    input: str | None = None
    scheduled_at: int | None = None
    execution_id: str = ""
    tags: dict[str, str] = {}
    trace: Trace | None = None
    policy: ReusePolicy = ReusePolicy()
    may_wait: bool = False  # for its first turn: nobody is told of the start


class Purged(Struct, frozen=True):
    count: int
    is_complete: bool = True


class Asking(Protocol):
    """The part of a router that clients need."""

    def ask(self, message: Message, reply: Reply) -> None: ...

    def watch(self, instance_id: str, watch: Watch, *, for_end: bool) -> Callable[[], None]: ...

    def will_tell(self, instance_id: str, *, for_end: bool) -> bool:
        """Whether who watches from now on misses nothing, and need not look into the store."""
        ...


class Engine:
    def __init__(
        self,
        *,
        router: Asking,
        store: Store,
        clock: Clock,
        ids: Ids,
        limits: Limits,
        partition_of: Callable[[str], int],
        check_room: Callable[[], None],
    ) -> None:
        self._router = router
        self._store = store
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._partition_of = partition_of
        self._check_room = check_room

    def fresh_id(self) -> str:
        return self._ids.uuid()

    # -- starting and ending ---------------------------------------------------------------------------------------

    async def start(self, request: StartRequest) -> str:
        """Creates an instance durably and gives back its id. Its first turn may not have run yet; one that may wait
        lets that turn carry it."""
        self._check_room()
        instance_id = request.instance_id or self._ids.uuid()
        keys.check_instance_id(instance_id, self._limits)
        keys.check_name("workflow", request.name, self._limits)
        self._check_payload(f"instance {instance_id!r}: input", request.input)
        started = WorkflowStarted(
            at=self._clock.now_ns(),
            name=request.name,
            instance_id=instance_id,
            execution_id=request.execution_id or self._ids.uuid(),
            version=request.version,
            input=request.input,
            scheduled_at=request.scheduled_at,
            trace=request.trace,
            tags=request.tags,
        )
        event = encode_event(started)
        await self._ask(Start(instance_id=instance_id, event=event, policy=request.policy, may_wait=request.may_wait))
        return instance_id

    async def terminate(self, instance_id: str, *, output: str | None = None, recurse: bool = True) -> None:
        keys.check_instance_id(instance_id, self._limits)
        self._check_payload(f"instance {instance_id!r}: output", output)
        await self._ask(Terminate(instance_id=instance_id, output=output, recurse=recurse))

    async def suspend(self, instance_id: str, *, reason: str | None = None) -> None:
        await self._deliver(instance_id, Suspended(at=self._clock.now_ns(), reason=reason))

    async def resume(self, instance_id: str, *, reason: str | None = None) -> None:
        await self._deliver(instance_id, Resumed(at=self._clock.now_ns(), reason=reason))

    async def raise_event(self, instance_id: str, name: str, payload: str | None = None, *, source: str = "") -> None:
        """Delivers an event once. `source` names the sending: the same one twice is one event."""
        keys.check_name("event", name, self._limits)
        self._check_payload(f"instance {instance_id!r}: event {name!r}", payload)
        event = EventReceived(at=self._clock.now_ns(), name=name, input=payload, source=source or self._ids.token())
        await self._deliver(instance_id, event)

    # -- looking ---------------------------------------------------------------------------------------------------

    async def get(self, instance_id: str, *, payloads: bool = True) -> View | None:
        keys.check_instance_id(instance_id, self._limits)
        place = (self._partition_of(instance_id), instance_id)
        return (await _stored(self._store.view([place], payloads=payloads)))[0]

    async def wait(self, instance_id: str, *, for_end: bool, payloads: bool = True) -> View | None:
        """Until the instance has ended (or only started); at once when there is none. The caller bounds the wait."""
        keys.check_instance_id(instance_id, self._limits)
        told: asyncio.Future[View | None] = asyncio.get_running_loop().create_future()

        def tell(view: View | None) -> None:
            if not told.done():
                told.set_result(view)

        stop = self._router.watch(instance_id, tell, for_end=for_end)
        try:
            if self._router.will_tell(instance_id, for_end=for_end):
                return await told
            view = await self.get(instance_id, payloads=payloads)
            if is_met(view, for_end=for_end):
                return view
            return await told
        finally:
            stop()

    async def query(self, wanted: Filter, *, limit: int, cursor: str = "", payloads: bool = False) -> Page:
        if limit < 1:
            raise InvalidRequest(f"page size: expected at least 1, found {limit}")
        return await _stored(self._store.query(wanted, limit=limit, cursor=cursor, payloads=payloads))

    async def history(self, instance_id: str, *, first: int = 0, limit: int = 0) -> Sequence[bytes]:
        """Stored history rows; raises InstanceNotFound when there is no such instance."""
        view = await self.get(instance_id, payloads=False)
        if view is None:
            raise InstanceNotFound(instance_id)
        return await _stored(
            self._store.history(self._partition_of(instance_id), instance_id, first=first, limit=limit)
        )

    async def inspect(self, instance_id: str) -> Stored | None:
        """Everything that is stored of an instance."""
        return await self._load(instance_id)

    # -- cleaning up -----------------------------------------------------------------------------------------------

    async def purge(self, instance_id: str, *, recurse: bool = False, is_forced: bool = False) -> Purged:
        """Deletes an ended instance (any, by force); with `recurse` its descendants first. Counts what went. When one
        of them still runs, nothing goes."""
        stored = await self._load(instance_id)
        if stored is None:
            return Purged(0)
        family = await self._family(stored) if recurse else [stored.record]
        for record in family:
            if not (record.status.is_terminal or is_forced):
                raise WrongState(
                    f"instance {record.id!r}: orchestration has not yet completed, it is {record.status.name}; "
                    "terminate it first, or purge with force"
                )
        for record in reversed(family):
            await self._ask(Purge(instance_id=record.id, is_forced=is_forced))
        return Purged(len(family))

    async def _family(self, stored: Stored) -> list[Record]:
        """The instance and its descendants, parents first, each once. An id that a stranger has is no child."""
        found, seen, left = list[Record](), {stored.record.id}, [stored]
        while left:
            parent = left.pop()
            found.append(parent.record)
            for child_id in _children(parent):
                child = None if child_id in seen else await self._load(child_id)
                who = None if child is None else child.record.parent
                if child is not None and who is not None and who.instance_id == parent.record.id:
                    seen.add(child_id)
                    left.append(child)
        return found

    async def purge_all(self, wanted: Filter, *, recurse: bool = False, seconds_max: float | None = None) -> Purged:
        """Deletes every ended instance that the filter means; stops after `seconds_max`, saying so."""
        statuses = (wanted.statuses or ENDED) & ENDED
        until = None if seconds_max is None else self._clock.monotonic() + seconds_max
        count, cursor = 0, ""
        if not statuses:
            return Purged(0)
        while True:
            page = await self.query(replace(wanted, statuses=statuses), limit=PURGE_PAGE, cursor=cursor)
            for view in page.views:
                if until is not None and self._clock.monotonic() >= until:
                    return Purged(count, is_complete=False)
                count += await self._purge_if_ended(view.record.id, recurse=recurse)
            cursor = page.cursor
            if not cursor:
                return Purged(count)

    async def _purge_if_ended(self, instance_id: str, *, recurse: bool) -> int:
        """A list of ended instances is old when it is read: one that runs again, or has children that do, stays."""
        try:
            return (await self.purge(instance_id, recurse=recurse)).count
        except WrongState:
            return 0

    # -- doing it again --------------------------------------------------------------------------------------------

    async def rewind(self, instance_id: str, *, reason: str | None = None) -> None:
        keys.check_instance_id(instance_id, self._limits)
        await self._ask(Rewind(instance_id=instance_id, reason=reason))

    async def restart(self, instance_id: str, *, with_new_id: bool = False, execution_id: str = "") -> str:
        """Starts the same workflow with the same input again, under the same id or a new one.

        With an `execution_id` of the caller's asking twice is asking once; a new id is then made of it.
        """
        view = await self.get(instance_id)
        if view is None:
            raise InstanceNotFound(instance_id)
        if execution_id and view.record.execution_id == execution_id:
            return instance_id
        if not (view.record.status.is_terminal or with_new_id):
            raise WrongState(
                f"instance {instance_id!r}: it is {view.record.status.name}; restart it when it has ended, "
                "or with a new id"
            )
        started = None if view.start is None else decode_event(view.start)
        if not isinstance(started, WorkflowStarted):
            raise WrongState(f"instance {instance_id!r}: its start is not stored any more")
        return await self.start(
            StartRequest(
                name=started.name,
                instance_id=execution_id if with_new_id else instance_id,
                version=started.version,
                input=started.input,
                execution_id=execution_id,
                tags=started.tags,
            )
        )

    async def rerun(
        self,
        source_id: str,
        seq: int,
        *,
        new_id: str = "",
        payload: str | UnsetType | None = UNSET,
        new_child_id: str = "",
        execution_id: str = "",
    ) -> str:
        """Forks a finished instance from one of its events under a new id."""
        target = new_id or self._ids.uuid()
        keys.check_instance_id(target, self._limits)
        source = await self._load(source_id)
        if source is None:
            raise InstanceNotFound(source_id)
        rerun = Rerun(source_id=source_id, seq=seq, new_id=target, input=payload, new_child_id=new_child_id)
        execution_id = execution_id or self._ids.uuid()
        await self._ask(plan_rerun(source, rerun, execution_id=execution_id, now=self._clock.now_ns()))
        return target

    # -- inside ----------------------------------------------------------------------------------------------------

    async def _load(self, instance_id: str) -> Stored | None:
        keys.check_instance_id(instance_id, self._limits)
        return (await _stored(self._store.load([(self._partition_of(instance_id), instance_id)])))[0]

    async def _deliver(self, instance_id: str, event: EventReceived | Suspended | Resumed) -> None:
        keys.check_instance_id(instance_id, self._limits)
        await self._ask(Deliver(instance_id=instance_id, event=encode_event(event)))

    async def _ask(self, message: Message) -> None:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[None] = loop.create_future()

        def reply(error: HoldfastError | None) -> None:
            if answered.done():
                return
            if error is None:
                answered.set_result(None)
            else:
                answered.set_exception(error)

        timer = loop.call_later(ASK_TIMEOUT, _give_up, answered, message.instance_id)
        self._router.ask(message, reply)
        try:
            await answered
        finally:
            timer.cancel()

    def _check_payload(self, what: str, payload: str | None) -> None:
        bound = self._limits.payload_bytes_max
        if payload is None or len(payload) * 4 <= bound:
            return
        size = len(payload.encode("utf-8", "surrogatepass"))
        if size > bound:
            raise PayloadTooLarge(
                f"{what}: expected at most {bound} bytes, found {size}; store it elsewhere and send a reference, "
                "or raise payload_bytes_max"
            )


def _give_up(answered: asyncio.Future[None], instance_id: str) -> None:
    if not answered.done():
        answered.set_exception(
            Unavailable(
                f"instance {instance_id!r}: no answer within {ASK_TIMEOUT:g} s; whether it took effect is not known, "
                "ask for its state before trying again"
            )
        )


async def _stored(reading: Awaitable[T]) -> T:
    try:
        return await reading
    except StoreError as error:
        raise Unavailable(f"the store did not answer: {error}; try again") from error


def _children(stored: Stored) -> list[str]:
    events = (decode_event(data) for data in stored.history)
    return list(dict.fromkeys(event.instance_id for event in events if isinstance(event, ChildScheduled)))
