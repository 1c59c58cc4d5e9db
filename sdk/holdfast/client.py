"""A client: starts workflows, waits for them, steers them.

    async with holdfast.Client() as client:
        receipt = await client.run(checkout, order, id="order-7")

All requests of a client share one stream. When the sidecar goes away the client connects again, for ever, and asks
again what was not answered: every request is safe to repeat. Deadlines are the caller's: `asyncio.timeout(5)`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Generic, Literal, Self, TypeAlias, TypedDict, TypeVar, Unpack, cast, overload

import grpc
from msgspec import UNSET, UnsetType

from holdfast import serialization
from holdfast._connection import FATAL, IDS, Endpoint, reconnecting, sdk_name
from holdfast._signature import encode_arguments
from holdfast._state import Filter, Instance, Page, filter_message, instance_of, nanoseconds
from holdfast.authoring import Workflow
from holdfast.errors import (
    CallRefused,
    SidecarUnavailable,
    WorkflowCanceled,
    WorkflowFailed,
    refusal_of,
)
from holdfast_kit.backoff import Backoff
from holdfast_proto.codec import event_of
from holdfast_proto.history import HistoryEvent, Status
from holdfast_proto.v1 import client_pb2 as pb

_log = logging.getLogger("holdfast.client")

METHOD: Final = "/holdfast.v1.Client/Call"
REQUESTS_MAX: Final = 128  # in one frame
A = TypeVar("A")
R = TypeVar("R")


class Handle(Generic[R]):
    """One instance. Made without asking the sidecar; `R` is what its workflow returns."""

    def __init__(self, client: Client, instance_id: str, *, returns: Any = Any, execution_id: str = "") -> None:
        self.id = instance_id
        self.execution_id = execution_id
        self._client = client
        self._returns = returns

    async def result(self) -> R:
        """Waits for the end. Raises WorkflowFailed, or WorkflowCanceled when it was terminated."""
        instance = await self.wait()
        if instance.status is Status.COMPLETED:
            return cast("R", serialization.decode(instance.output, self._returns, what=f"result of {instance.name}()"))
        if instance.status is Status.FAILED:
            raise WorkflowFailed(instance.id, instance.name, instance.failure)
        raise WorkflowCanceled(f"instance {instance.id!r}: it was {instance.status.name.lower()}")

    async def wait(self) -> Instance:
        """Waits for the end and gives the instance, however it ended."""
        wait = pb.WaitRequest(instance_id=self.id, with_payloads=True, execution_id=self.execution_id)
        reply = await self._client.ask(pb.Request(wait=wait))
        return instance_of(reply.found.instance)

    async def started(self) -> Instance:
        """Waits until the first turn has run."""
        wait = pb.WaitRequest(instance_id=self.id, until=pb.WaitRequest.STARTED, with_payloads=True)
        return instance_of((await self._client.ask(pb.Request(wait=wait))).found.instance)

    async def get(self) -> Instance:
        """The instance as it is now. Raises InstanceNotFound."""
        return await self._client.get(self.id)

    async def send(self, event: str, value: Any = None) -> None:
        """Raises an event on the instance; it is kept until the workflow asks for it."""
        payload = None if value is None else serialization.encode(value, what=f"event {event!r}")
        request = pb.RaiseEventRequest(instance_id=self.id, name=event, input=payload, source=IDS.token())
        await self._client.ask(pb.Request(raise_event=request))

    async def pause(self, reason: str | None = None) -> None:
        await self._client.ask(pb.Request(pause=pb.PauseRequest(instance_id=self.id, reason=reason)))

    async def resume(self, reason: str | None = None) -> None:
        await self._client.ask(pb.Request(resume=pb.ResumeRequest(instance_id=self.id, reason=reason)))

    async def terminate(self, output: Any = None, *, recurse: bool = True) -> None:
        """Ends it now, its children too. Its code does not run again; compensations are not run."""
        payload = None if output is None else serialization.encode(output, what="output of terminate()")
        call = pb.TerminateCall(instance_id=self.id, output=payload, recurse=recurse)
        await self._client.ask(pb.Request(terminate=call))

    async def rewind(self, reason: str | None = None) -> None:
        """Takes back what failed in a failed instance and lets it go on."""
        await self._client.ask(pb.Request(rewind=pb.RewindRequest(instance_id=self.id, reason=reason)))

    async def restart(self, *, keeps_id: bool = False) -> Handle[R]:
        """The same start once more, under a new id or the same."""
        request = pb.RestartRequest(instance_id=self.id, keeps_id=keeps_id)
        reply = await self._client.ask(pb.Request(restart=request))
        return Handle(self._client, reply.started.instance_id, returns=self._returns)

    async def rerun(self, from_row: int, *, id: str = "", input: Any = UNSET) -> Handle[R]:
        """A new instance that begins with this one's history up to the activity, timer or child in that row."""
        request = pb.RerunRequest(instance_id=self.id, from_row=from_row, new_instance_id=id)
        if not isinstance(input, UnsetType):
            request.overwrites_input = True
            if input is not None:
                request.input = serialization.encode(input, what="input of rerun()")
        reply = await self._client.ask(pb.Request(rerun=request))
        return Handle(self._client, reply.started.instance_id, returns=self._returns)

    async def purge(self, *, recurse: bool = False, force: bool = False) -> int:
        """Deletes the ended instance. Gives how many went, its children included."""
        request = pb.PurgeRequest(instance_ids=[self.id], recurse=recurse, is_forced=force)
        return (await self._client.ask(pb.Request(purge=request))).purged.count

    async def history(self) -> Sequence[HistoryEvent]:
        """Everything that has happened, as facts."""
        events: list[HistoryEvent] = []
        row = 0
        while True:
            request = pb.HistoryRequest(instance_id=self.id, from_row=row)
            page = (await self._client.ask(pb.Request(history=request))).history
            events += map(event_of, page.events)
            row = page.next_row
            if not row:
                return events

    def __repr__(self) -> str:
        return f"<instance {self.id!r}>"


_Call: TypeAlias = "grpc.aio.StreamStreamCall[pb.CallFrame, pb.ReplyFrame]"  # generic only for type checkers


class StartOptions(TypedDict, total=False):
    """`id`: made up if left out. `at`, `after`: not before then. `version`, `tags`: labels of the instance.

    `if_exists`, for an id that a running instance has: "error" raises InstanceExists, "keep" gives that one, "replace"
    ends it and starts anew. An instance that has ended makes room, except with "keep".
    """

    id: str
    version: str
    tags: dict[str, str]
    at: datetime
    after: timedelta | float
    if_exists: Literal["error", "keep", "replace"]


class Client:
    """`address`: host:port of the sidecar; without it HOLDFAST_ADDRESS, else localhost:50001."""

    def __init__(self, address: str = "", *, namespace: str = "", token: str = "") -> None:
        self._endpoint = Endpoint(address, namespace, token)
        self._numbers = 0
        self._waiting: dict[int, tuple[pb.Request, asyncio.Future[pb.Reply]]] = {}
        self._queue: list[pb.Request] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._talk_for_ever(), name="holdfast client")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._task is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        for _, waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(SidecarUnavailable("the client was closed before the answer came"))
        self._waiting.clear()

    # -- starting --------------------------------------------------------------------------------------------------

    @overload
    async def start(self, workflow: Workflow[[], R], /, **options: Unpack[StartOptions]) -> Handle[R]: ...
    @overload
    async def start(self, workflow: Workflow[[A], R], input: A, /, **options: Unpack[StartOptions]) -> Handle[R]: ...
    @overload
    async def start(self, workflow: str, input: Any = None, /, **options: Unpack[StartOptions]) -> Handle[Any]: ...
    async def start(self, workflow: Any, /, *input: Any, **options: Unpack[StartOptions]) -> Any:
        """Starts an instance; when this returns, the start is durable. Options: see StartOptions."""
        request, returns = _start_request(workflow, input, options)
        reply = await self.ask(pb.Request(start=request))
        return Handle[Any](self, reply.started.instance_id, returns=returns, execution_id=reply.started.execution_id)

    async def start_many(
        self, workflow: Workflow[[A], R], inputs: Iterable[A], **options: Unpack[StartOptions]
    ) -> list[Handle[R]]:
        """One instance per input, in one request. Raises the first refusal after all have been tried."""
        requests = [_start_request(workflow, (value,), options)[0] for value in inputs]
        if not requests:
            return []
        reply = await self.ask(pb.Request(start_many=pb.StartManyRequest(starts=requests)))
        handles: list[Handle[R]] = []
        for outcome in reply.started_many.outcomes:
            if outcome.HasField("error"):
                raise refusal_of(outcome.error)
            handles.append(Handle(self, outcome.started.instance_id, returns=workflow.signature.result))
        return handles

    @overload
    async def run(self, workflow: Workflow[[], R], /, **options: Unpack[StartOptions]) -> R: ...
    @overload
    async def run(self, workflow: Workflow[[A], R], input: A, /, **options: Unpack[StartOptions]) -> R: ...
    async def run(self, workflow: Any, /, *input: Any, **options: Unpack[StartOptions]) -> Any:
        """Starts an instance, or finds the one that has the id already, and waits for its result."""
        options.setdefault("if_exists", "keep")
        request, returns = _start_request(workflow, input, options)
        reply = await self.ask(pb.Request(start=request))
        return await Handle[Any](self, reply.started.instance_id, returns=returns).result()

    @overload
    def handle(self, id: str) -> Handle[Any]: ...
    @overload
    def handle(self, id: str, workflow: Workflow[..., R]) -> Handle[R]: ...
    def handle(self, id: str, workflow: Any = None) -> Any:
        """For an instance that was started elsewhere; the workflow gives the type of its result."""
        return Handle[Any](self, id, returns=Any if workflow is None else workflow.signature.result)

    # -- looking and cleaning up -----------------------------------------------------------------------------------

    async def get(self, id: str) -> Instance:
        """Raises InstanceNotFound."""
        reply = await self.ask(pb.Request(get=pb.GetRequest(instance_id=id, with_payloads=True)))
        if not reply.found.HasField("instance"):
            raise refusal_of(
                pb.Error(kind=pb.Error.NOT_FOUND, code="InstanceNotFound", text=f"instance {id!r}: there is none")
            )
        return instance_of(reply.found.instance)

    async def page(
        self, wanted: Filter | None = None, *, limit: int = 100, cursor: str = "", payloads: bool = False
    ) -> Page:
        request = pb.ListRequest(filter=filter_message(wanted), limit=limit, cursor=cursor, with_payloads=payloads)
        page = (await self.ask(pb.Request(list=request))).page
        return Page([instance_of(instance) for instance in page.instances], page.cursor)

    async def list(self, wanted: Filter | None = None, *, payloads: bool = False) -> AsyncIterator[Instance]:
        """All instances that the filter means, page by page."""
        cursor = ""
        while True:
            page = await self.page(wanted, limit=500, cursor=cursor, payloads=payloads)
            for instance in page.instances:
                yield instance
            cursor = page.cursor
            if not cursor:
                return

    async def purge(self, wanted: Filter, *, recurse: bool = False) -> int:
        """Deletes every ended instance that the filter means."""
        request = pb.PurgeRequest(filter=filter_message(wanted), recurse=recurse)
        return (await self.ask(pb.Request(purge=request))).purged.count

    # -- the stream ------------------------------------------------------------------------------------------------

    async def ask(self, request: pb.Request) -> pb.Reply:
        """Sends one request and waits for its reply; raises what the sidecar refused it for."""
        if self._task is None:
            raise SidecarUnavailable("this client is not open; use `async with holdfast.Client() as client:`")
        if self._task.done():
            self._task.result()
        self._numbers += 1
        request.id = number = self._numbers
        waiting: asyncio.Future[pb.Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (request, waiting)
        self._queue.append(request)
        self._wake.set()
        try:
            reply = await waiting
        except asyncio.CancelledError:
            self._queue.append(pb.Request(id=self._fresh(), cancel=pb.CancelRequest(request_id=number)))
            self._wake.set()
            raise
        finally:
            self._waiting.pop(number, None)
        if reply.HasField("error"):
            raise refusal_of(reply.error)
        return reply

    def _fresh(self) -> int:
        self._numbers += 1
        return self._numbers

    async def _talk_for_ever(self) -> None:
        backoff = reconnecting()
        while True:
            try:
                await self._one_stream(backoff)
            except grpc.aio.AioRpcError as error:
                if error.code() in FATAL:
                    self._fail_all(CallRefused(f"the sidecar at {self._endpoint.target} refused: {error.details()}"))
                elif backoff.failures in (0, 3) or backoff.failures % 20 == 0:
                    _log.warning(
                        "no sidecar at %s (%s), trying again; is `holdfast dev` running?",
                        self._endpoint.target,
                        error.details(),
                    )
            await asyncio.sleep(backoff.next())

    def _fail_all(self, error: Exception) -> None:
        for _, waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)

    async def _one_stream(self, backoff: Backoff) -> None:
        self._queue = [request for request, _ in self._waiting.values()]
        self._wake.set()
        async with self._endpoint.channel() as channel:
            call: _Call = channel.stream_stream(
                METHOD,
                request_serializer=_serialized,
                response_deserializer=pb.ReplyFrame.FromString,
            )(metadata=self._endpoint.metadata())
            ended: grpc.aio.AioRpcError | None = None
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._write_for_ever(call))
                try:
                    await self._read(call, backoff)
                except grpc.aio.AioRpcError as error:
                    ended = error  # raised below: out of the group it would come wrapped
                finally:
                    call.cancel()
                writer.cancel()
        if ended is not None:
            raise ended

    async def _read(self, call: _Call, backoff: Backoff) -> None:
        async for frame in call:
            backoff.reset()
            for reply in frame.replies:
                entry = self._waiting.get(reply.id)
                if entry is not None and not entry[1].done():
                    entry[1].set_result(reply)
            if frame.draining:
                return

    async def _write_for_ever(self, call: _Call) -> None:
        """Ends with the stream: what a write would say of a broken one, the reader says better."""
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            async for frame in self._frames():
                await call.write(frame)

    async def _frames(self) -> AsyncIterator[pb.CallFrame]:
        is_first = True
        while True:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
            requests, self._queue = self._queue[:REQUESTS_MAX], self._queue[REQUESTS_MAX:]
            frame = pb.CallFrame(requests=requests)
            if is_first:
                frame.namespace = self._endpoint.namespace
                frame.sdk = sdk_name()
                is_first = False
            yield frame


def _start_request(workflow: Any, input: tuple[Any, ...], options: StartOptions) -> tuple[pb.StartRequest, Any]:
    if isinstance(workflow, Workflow):
        declared = cast("Workflow[..., Any]", workflow)
        name, payload, returns = declared.name, declared.signature.encode(input), declared.signature.result
    else:
        name, payload, returns = str(workflow), encode_arguments(input, what=str(workflow)), Any
    request = pb.StartRequest(
        name=name,
        input=payload,
        instance_id=options.get("id", ""),
        execution_id=IDS.uuid(),
        version=options.get("version"),
        tags=options.get("tags"),
        scheduled_at=nanoseconds(options.get("at"), options.get("after")),
    )
    _reuse(request, options.get("if_exists", "error"))
    return request, returns


def _serialized(frame: pb.CallFrame) -> bytes:
    return frame.SerializeToString()


def _reuse(request: pb.StartRequest, if_exists: str) -> None:
    ended = [status for status in Status if status.is_terminal]
    alive = [status for status in Status if not status.is_terminal]
    match if_exists:
        case "error":
            return
        case "keep":
            request.reuse.kept.extend(Status)
        case "replace":
            request.reuse.replaceable.extend([*ended, *alive])
        case other:
            raise ValueError(f'if_exists: expected "error", "keep" or "replace", found {other!r}')
