"""What each request of the client service asks of the engine: decode, call one method, encode."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from msgspec import UNSET

from holdfast_proto.codec import decode_event
from holdfast_proto.codec.values import tags_of, trace_of
from holdfast_proto.history import ActivityScheduled, ChildScheduled, Status, TimerCreated
from holdfast_proto.v1 import client_pb2 as pb
from holdfast_sidecar.actors.engine import Engine, StartRequest
from holdfast_sidecar.api.native.replies import error_of, fill_outcome, fill_state
from holdfast_sidecar.core.errors import EventNotFound, HoldfastError, InstanceNotFound, InvalidRequest
from holdfast_sidecar.core.messages import ReusePolicy
from holdfast_sidecar.core.state import Filter, View

LIST_DEFAULT, LIST_MAX = 100, 1_000
HISTORY_DEFAULT, HISTORY_MAX = 500, 5_000
STARTS_MAX = 10_000  # of one StartMany
ANEW = ReusePolicy()
_STATUSES: Final = {status.value: status for status in Status}


async def answer(engine: Engine, request: pb.Request) -> pb.Reply:
    """Never raises but for cancellation: every error becomes the reply."""
    reply = pb.Reply(id=request.id)
    try:
        await _call(engine, request, reply)
    except Exception as error:  # noqa: BLE001 - the edge: one call's fault is that call's answer
        reply.error.CopyFrom(error_of(error))
    return reply


async def _call(engine: Engine, request: pb.Request, reply: pb.Reply) -> None:
    match request.WhichOneof("kind"):
        case "start":
            await _start(engine, request.start, reply.started)
        case "run":
            await _run(engine, request, reply.outcome)
        case "start_many":
            await _start_many(engine, request.start_many, reply.started_many)
        case "get":
            view = await engine.get(request.get.instance_id, payloads=request.get.with_payloads)
            _found(reply.found, view)
        case "wait":
            await _wait(engine, request, reply)
        case "list":
            await _list(engine, request.list, reply.page)
        case "history":
            await _history(engine, request.history, reply)
        case "purge":
            await _purge(engine, request, reply.purged)
        case "rerun" | "restart":
            await _again(engine, request, reply.started)
        case "raise_event" | "pause" | "resume" | "terminate" | "rewind":
            await _steer(engine, request)
            reply.done.SetInParent()
        case _:
            raise InvalidRequest(
                f"request {request.id}: it asks for nothing that this sidecar knows; update the sidecar"
            )


async def _start(engine: Engine, start: pb.StartRequest, started: pb.Started) -> None:
    asked = _start_request(engine, start)
    started.instance_id = await engine.start(asked)
    started.execution_id = asked.execution_id


async def _run(engine: Engine, request: pb.Request, outcome: pb.Outcome) -> None:
    asked = _start_request(engine, request.run.start, may_wait=True)
    instance_id = await engine.start(asked)
    view, _ = await _awaited(engine, request, instance_id, for_end=True, payloads=True)
    only = "" if asked.policy.kept else asked.execution_id  # one that is kept may be somebody else's
    fill_outcome(outcome, _of_run(view, instance_id, only))


def _start_request(engine: Engine, start: pb.StartRequest, *, may_wait: bool = False) -> StartRequest:
    execution_id = start.execution_id or engine.fresh_id()
    policy = ANEW
    if start.HasField("reuse"):
        policy = ReusePolicy(replaceable=_statuses(start.reuse.replaceable), kept=_statuses(start.reuse.kept))
    return StartRequest(
        name=start.name,
        instance_id=start.instance_id or execution_id,  # the same again when the start is repeated
        version=start.version if start.HasField("version") else None,
        input=start.input if start.HasField("input") else None,
        scheduled_at=start.scheduled_at or None,
        execution_id=execution_id,
        tags=tags_of(start.tags),
        trace=trace_of(start.trace) if start.HasField("trace") else None,
        policy=policy,
        may_wait=may_wait,
    )


async def _start_many(engine: Engine, request: pb.StartManyRequest, reply: pb.StartedMany) -> None:
    if len(request.starts) > STARTS_MAX:
        raise InvalidRequest(f"bulk start: expected at most {STARTS_MAX} starts, found {len(request.starts)}; split it")
    outcomes = [reply.outcomes.add() for _ in request.starts]

    async def one(start: pb.StartRequest, outcome: pb.StartOutcome) -> None:
        try:
            await _start(engine, start, outcome.started)
        except HoldfastError as error:
            outcome.error.CopyFrom(error_of(error))

    async with asyncio.TaskGroup() as group:
        for start, outcome in zip(request.starts, outcomes, strict=True):
            group.create_task(one(start, outcome))


async def _wait(engine: Engine, request: pb.Request, reply: pb.Reply) -> None:
    wait = request.wait
    for_end, payloads = wait.until == pb.WaitRequest.ENDED, wait.with_payloads or wait.is_brief
    view, is_late = await _awaited(engine, request, wait.instance_id, for_end=for_end, payloads=payloads)
    view = _of_run(view, wait.instance_id, wait.execution_id)
    if wait.is_brief:
        fill_outcome(reply.outcome, view)
    else:
        fill_state(reply.found.instance, view)
        reply.found.timed_out = is_late


async def _awaited(
    engine: Engine, request: pb.Request, instance_id: str, *, for_end: bool, payloads: bool
) -> tuple[View | None, bool]:
    """Within the request's time; after that as it is, and True."""
    waiting = engine.wait(instance_id, for_end=for_end, payloads=payloads)
    if not request.timeout_ms:
        return await waiting, False
    try:
        async with asyncio.timeout(request.timeout_ms / 1000):
            return await waiting, False
    except TimeoutError:
        return await engine.get(instance_id, payloads=payloads), True


def _of_run(view: View | None, instance_id: str, execution_id: str) -> View:
    """Raises InstanceNotFound when there is none, or only one of another run. Continue-as-new gives a run another
    execution id by right; the record keeps the first one."""
    if view is not None and execution_id in ("", view.record.execution_id, view.record.first_execution_id):
        return view
    raise InstanceNotFound(instance_id)


async def _list(engine: Engine, request: pb.ListRequest, page: pb.InstancePage) -> None:
    limit = min(request.limit or LIST_DEFAULT, LIST_MAX)
    result = await engine.query(
        _filter(request.filter), limit=limit, cursor=request.cursor, payloads=request.with_payloads
    )
    for view in result.views:
        fill_state(page.instances.add(), view)
    page.cursor = result.cursor


async def _history(engine: Engine, request: pb.HistoryRequest, reply: pb.Reply) -> None:
    limit = min(request.limit or HISTORY_DEFAULT, HISTORY_MAX)
    view = await engine.get(request.instance_id, payloads=False)
    if view is None:
        raise InstanceNotFound(request.instance_id)
    rows = await engine.history(request.instance_id, first=request.from_row, limit=limit)
    end = request.from_row + len(rows)
    page = pb.RawHistoryPage(
        events=rows,
        next_row=end if end < view.record.history_length else 0,
        generation=view.record.generation,
        execution_id=view.record.execution_id,
    )
    reply.history.ParseFromString(page.SerializeToString())


async def _purge(engine: Engine, request: pb.Request, purged: pb.Purged) -> None:
    purge, count, is_complete = request.purge, 0, True
    for instance_id in purge.instance_ids:
        count += (await engine.purge(instance_id, recurse=purge.recurse, is_forced=purge.is_forced)).count
    if purge.HasField("filter"):
        seconds = request.timeout_ms / 1000 if request.timeout_ms else None
        result = await engine.purge_all(_filter(purge.filter), recurse=purge.recurse, seconds_max=seconds)
        count, is_complete = count + result.count, result.is_complete
    purged.count, purged.is_complete = count, is_complete


async def _again(engine: Engine, request: pb.Request, started: pb.Started) -> None:
    if request.HasField("restart"):
        restart = request.restart
        started.instance_id = await engine.restart(
            restart.instance_id, with_new_id=not restart.keeps_id, execution_id=restart.execution_id
        )
        return
    rerun = request.rerun
    rows = await engine.history(rerun.instance_id, first=rerun.from_row, limit=1)
    event = decode_event(rows[0]) if rows else None
    if not isinstance(event, ActivityScheduled | ChildScheduled | TimerCreated):
        raise EventNotFound(
            f"instance {rerun.instance_id!r}: row {rerun.from_row} cannot be rerun; expected an activity, a timer or a "
            f"child that was scheduled there, found {type(event).__name__ if event else 'nothing'}"
        )
    payload = (rerun.input if rerun.HasField("input") else None) if rerun.overwrites_input else UNSET
    started.instance_id = await engine.rerun(
        rerun.instance_id,
        event.seq,
        new_id=rerun.new_instance_id or rerun.execution_id,
        payload=payload,
        execution_id=rerun.execution_id,
    )


async def _steer(engine: Engine, request: pb.Request) -> None:
    match request.WhichOneof("kind"):
        case "raise_event":
            event = request.raise_event
            payload = event.input if event.HasField("input") else None
            await engine.raise_event(event.instance_id, event.name, payload, source=event.source)
        case "pause":
            await engine.suspend(request.pause.instance_id, reason=_reason(request.pause))
        case "resume":
            await engine.resume(request.resume.instance_id, reason=_reason(request.resume))
        case "terminate":
            call = request.terminate
            output = call.output if call.HasField("output") else None
            await engine.terminate(call.instance_id, output=output, recurse=call.recurse)
        case _:
            await engine.rewind(request.rewind.instance_id, reason=_reason(request.rewind))


def _reason(request: pb.PauseRequest | pb.ResumeRequest | pb.RewindRequest) -> str | None:
    return request.reason if request.HasField("reason") else None


def _found(found: pb.Found, view: View | None) -> None:
    if view is not None:
        fill_state(found.instance, view)
    else:
        found.SetInParent()


def _filter(wanted: pb.InstanceFilter) -> Filter:
    if wanted.tags:
        raise InvalidRequest("filter by tags: this sidecar has no index of tags; filter by name, status, id or time")
    return Filter(
        statuses=_statuses(wanted.statuses),
        name=wanted.name,
        id_prefix=wanted.id_prefix,
        created_from=wanted.created_from,
        created_to=wanted.created_to,
        completed_from=wanted.completed_from,
        completed_to=wanted.completed_to,
        by_completion=wanted.by_completion,
    )


def _statuses(numbers: Iterable[int]) -> frozenset[Status]:
    try:
        return frozenset([_STATUSES[number] for number in numbers])
    except KeyError as error:
        known = ", ".join(f"{status.value} {status.name}" for status in Status)
        raise InvalidRequest(f"status: expected some of {known}, found {error}") from error
