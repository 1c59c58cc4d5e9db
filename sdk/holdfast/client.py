"""A client: starts workflows, waits for them, steers them.

    async with holdfast.Client() as client:
        receipt = await client.run(checkout, order, id="order-7")

All requests of a client share one stream. When the sidecar goes away the client connects again, for ever, and asks
again what was not answered: every request is safe to repeat. Deadlines are the caller's: `asyncio.timeout(5)`.
Scripts and frameworks without a loop use holdfast.SyncClient.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, Unpack, cast, overload

from msgspec import UNSET, UnsetType

from holdfast import serialization
from holdfast._asking import Asking
from holdfast._connection import Connection, connection_of
from holdfast._requests import StartOptions, start_request
from holdfast._state import Filter, Instance, Page, filter_message, instance_of, result_of
from holdfast.authoring import Workflow
from holdfast.errors import InstanceNotFound, refusal_of
from holdfast_kit.ids import Ids
from holdfast_proto.codec import event_of
from holdfast_proto.history import HistoryEvent
from holdfast_proto.v1 import client_pb2 as pb

STARTS_MAX: Final = 1_000  # in one request: more gains nothing, and what is not answered is sent again as a whole
PAGE: Final = 500
A = TypeVar("A")
R = TypeVar("R")


class Handle(Generic[R]):
    """One instance. Made without asking the sidecar; `R` is what its workflow returns.

    With an `execution_id` it means that run only: InstanceNotFound when another one has taken its id.
    """

    def __init__(self, client: Client, instance_id: str, *, returns: Any = Any, execution_id: str = "") -> None:
        self.id = instance_id
        self.execution_id = execution_id
        self._client = client
        self._returns = returns

    # -- looking ---------------------------------------------------------------------------------------------------

    async def result(self) -> R:
        """Waits for the end. Raises WorkflowFailed, or WorkflowCanceled when it was terminated."""
        wait = pb.WaitRequest(instance_id=self.id, is_brief=True, execution_id=self.execution_id)
        return cast("R", result_of((await self._client.ask(pb.Request(wait=wait))).outcome, self._returns))

    async def wait(self) -> Instance:
        """Waits for the end and gives the instance, however it ended."""
        return await self._wait(pb.WaitRequest.ENDED)

    async def started(self) -> Instance:
        """Waits until the first turn has run."""
        return await self._wait(pb.WaitRequest.STARTED)

    async def _wait(self, until: pb.WaitRequest.Until) -> Instance:
        wait = pb.WaitRequest(instance_id=self.id, until=until, with_payloads=True, execution_id=self.execution_id)
        return instance_of((await self._client.ask(pb.Request(wait=wait))).found.instance)

    async def get(self) -> Instance:
        """The instance as it is now. Raises InstanceNotFound."""
        return await self._client.get(self.id)

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

    # -- steering --------------------------------------------------------------------------------------------------

    async def send(self, event: str, value: Any = None) -> None:
        """Raises an event on the instance; it is kept until the workflow asks for it."""
        payload = None if value is None else serialization.encode(value, what=f"event {event!r}")
        request = pb.RaiseEventRequest(instance_id=self.id, name=event, input=payload, source=self._client.ids.token())
        await self._client.ask(pb.Request(raise_event=request))

    async def pause(self, reason: str | None = None) -> None:
        """It takes no further step until `resume`; what its activities give and what is sent to it waits."""
        await self._client.ask(pb.Request(pause=pb.PauseRequest(instance_id=self.id, reason=reason)))

    async def resume(self, reason: str | None = None) -> None:
        await self._client.ask(pb.Request(resume=pb.ResumeRequest(instance_id=self.id, reason=reason)))

    async def terminate(self, output: Any = None, *, recurse: bool = True) -> None:
        """Ends it now, its children too. Its code does not run again; compensations are not run."""
        payload = None if output is None else serialization.encode(output, what="output of terminate()")
        call = pb.TerminateCall(instance_id=self.id, output=payload, recurse=recurse)
        await self._client.ask(pb.Request(terminate=call))

    # -- doing it again --------------------------------------------------------------------------------------------

    async def rewind(self, reason: str | None = None) -> None:
        """Takes back what failed in a failed instance and lets it go on."""
        await self._client.ask(pb.Request(rewind=pb.RewindRequest(instance_id=self.id, reason=reason)))

    async def restart(self, *, keeps_id: bool = False) -> Handle[R]:
        """The same start once more, under a new id or the same."""
        request = pb.RestartRequest(instance_id=self.id, keeps_id=keeps_id, execution_id=self._client.ids.uuid())
        return self._again(await self._client.ask(pb.Request(restart=request)))

    async def rerun(self, from_row: int, *, id: str = "", input: Any = UNSET) -> Handle[R]:
        """A new instance that begins with this one's history up to the activity, timer or child in that row."""
        request = pb.RerunRequest(
            instance_id=self.id,
            from_row=from_row,
            new_instance_id=id or self._client.ids.uuid(),
            execution_id=self._client.ids.uuid(),
        )
        if not isinstance(input, UnsetType):
            request.overwrites_input = True
            if input is not None:
                request.input = serialization.encode(input, what="input of rerun()")
        return self._again(await self._client.ask(pb.Request(rerun=request)))

    def _again(self, reply: pb.Reply) -> Handle[R]:
        return Handle(self._client, reply.started.instance_id, returns=self._returns)

    async def purge(self, *, recurse: bool = False, force: bool = False) -> int:
        """Deletes the ended instance. Gives how many went, its children included."""
        request = pb.PurgeRequest(instance_ids=[self.id], recurse=recurse, is_forced=force)
        return (await self._client.ask(pb.Request(purge=request))).purged.count

    def __repr__(self) -> str:
        return f"<instance {self.id!r}>"


class Client:
    """`address`: host:port of the sidecar; without it HOLDFAST_ADDRESS, else localhost:50001.

    `namespace`: what the sidecar must serve, else every call is refused; without it HOLDFAST_NAMESPACE, else whichever
    it serves. `token`: its API token; without it HOLDFAST_API_TOKEN.
    """

    def __init__(self, address: str | Connection = "", *, namespace: str = "", token: str = "") -> None:
        self._connection = connection_of(address, namespace, token)
        self.asking = Asking(self._connection)

    @property
    def ids(self) -> Ids:
        """Where made-up identities come from."""
        return self._connection.ids

    async def __aenter__(self) -> Self:
        """Does not wait for a sidecar; the first request does."""
        self.asking.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Whoever still waits gets SidecarUnavailable."""
        await self.asking.close()

    # -- starting --------------------------------------------------------------------------------------------------

    @overload
    async def start(self, workflow: Workflow[[], R], /, **options: Unpack[StartOptions]) -> Handle[R]: ...
    @overload
    async def start(self, workflow: Workflow[[A], R], input: A, /, **options: Unpack[StartOptions]) -> Handle[R]: ...
    @overload
    async def start(self, workflow: str, input: Any = None, /, **options: Unpack[StartOptions]) -> Handle[Any]: ...
    async def start(self, workflow: Any, /, *input: Any, **options: Unpack[StartOptions]) -> Any:
        """Starts an instance; when this returns, the start is durable. Options: see StartOptions."""
        request, returns = start_request(workflow, input, options, connection=self._connection)
        started = (await self.ask(pb.Request(start=request))).started
        is_kept = options.get("if_exists") == "keep"  # then the run may be one that somebody else has started
        return Handle[Any](
            self, started.instance_id, returns=returns, execution_id="" if is_kept else started.execution_id
        )

    async def start_many(
        self, workflow: Workflow[[A], R], inputs: Iterable[A], **options: Unpack[StartOptions]
    ) -> list[Handle[R]]:
        """One instance per input, in few requests. Raises the first refusal after all have been tried.

        Their ids are made up; `id` is not for many.
        """
        if "id" in options:
            raise TypeError("start_many: expected no id, as every instance needs one of its own; start them one by one")
        requests = [start_request(workflow, (value,), options, connection=self._connection)[0] for value in inputs]
        outcomes: list[pb.StartOutcome] = []
        for at in range(0, len(requests), STARTS_MAX):
            many = pb.StartManyRequest(starts=requests[at : at + STARTS_MAX])
            outcomes += (await self.ask(pb.Request(start_many=many))).started_many.outcomes
        for outcome in outcomes:
            if outcome.HasField("error"):
                raise refusal_of(outcome.error)
        returns = workflow.signature.result
        return [
            Handle(self, started.instance_id, returns=returns, execution_id=started.execution_id)
            for started in (outcome.started for outcome in outcomes)
        ]

    @overload
    async def run(self, workflow: Workflow[[], R], /, **options: Unpack[StartOptions]) -> R: ...
    @overload
    async def run(self, workflow: Workflow[[A], R], input: A, /, **options: Unpack[StartOptions]) -> R: ...
    @overload
    async def run(self, workflow: str, input: Any = None, /, **options: Unpack[StartOptions]) -> Any: ...
    async def run(self, workflow: Any, /, *input: Any, **options: Unpack[StartOptions]) -> Any:
        """Starts an instance, or finds the one that has the id already, and waits for its result."""
        options.setdefault("if_exists", "keep")
        start, returns = start_request(workflow, input, options, connection=self._connection)
        return result_of((await self.ask(pb.Request(run=pb.RunRequest(start=start)))).outcome, returns)

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
            raise InstanceNotFound(f"instance {id!r}: there is none; check the id, or whether it was purged")
        return instance_of(reply.found.instance)

    async def page(
        self, wanted: Filter | None = None, *, limit: int = 100, cursor: str = "", payloads: bool = False
    ) -> Page:
        """At most `limit` instances; the next page begins at the cursor of this one."""
        request = pb.ListRequest(filter=filter_message(wanted), limit=limit, cursor=cursor, with_payloads=payloads)
        page = (await self.ask(pb.Request(list=request))).page
        return Page([instance_of(instance) for instance in page.instances], page.cursor)

    async def purge(self, wanted: Filter, *, recurse: bool = False) -> int:
        """Deletes every ended instance that the filter means."""
        request = pb.PurgeRequest(filter=filter_message(wanted), recurse=recurse)
        return (await self.ask(pb.Request(purge=request))).purged.count

    async def ask(self, request: pb.Request) -> pb.Reply:
        """One request of the protocol, for what has no method here."""
        return await self.asking.ask(request)

    async def list(self, wanted: Filter | None = None, *, payloads: bool = False) -> AsyncIterator[Instance]:
        """All instances that the filter means, page by page."""
        cursor = ""
        while True:
            page = await self.page(wanted, limit=PAGE, cursor=cursor, payloads=payloads)
            for instance in page.instances:
                yield instance
            cursor = page.cursor
            if not cursor:
                return
