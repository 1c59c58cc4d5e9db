"""Management calls of clients: decode, call one method of the engine, encode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import UNSET

from holdfast_kit.clock import Clock
from holdfast_proto.codec import decode_event
from holdfast_proto.history import Status, WorkflowCompleted, WorkflowStarted
from holdfast_sidecar.actors.engine import Engine, StartRequest
from holdfast_sidecar.api.durabletask import dapr, microsoft, requests, responses
from holdfast_sidecar.api.durabletask.model import Dialect
from holdfast_sidecar.api.durabletask.responses import NOTHING, Snapshot
from holdfast_sidecar.core.errors import InvalidRequest, WrongState
from holdfast_sidecar.core.state import Filter, Record, View

PAGE_DEFAULT: Final = 100
PAGE_MAX: Final = 1_000
HISTORY_CHUNK: Final = 300  # events; some clients take at most 4 MB
_NANOS: Final = 1_000_000_000
_STALLED: Final = frozenset({Status.STALLED})


class Management:
    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def calls(self) -> dict[str, Callable[[bytes], Awaitable[bytes]]]:
        return {
            "StartInstance": self.start,
            "GetInstance": self.get,
            "WaitForInstanceStart": self.wait_for_start,
            "WaitForInstanceCompletion": self.wait_for_end,
            "RaiseEvent": self.raise_event,
            "TerminateInstance": self.terminate,
            "SuspendInstance": self.suspend,
            "ResumeInstance": self.resume,
            "RewindInstance": self.rewind,
            "RestartInstance": self.restart,
            "RerunWorkflowFromEvent": self.rerun,
            "PurgeInstances": self.purge,
            "QueryInstances": self.query,
            "ListInstanceIds": self.list_ended,
            "ListInstanceIDs": self.list_all,
            "GetInstanceHistory": self.get_history,
        }

    async def start(self, data: bytes) -> bytes:
        asked = requests.read_start(data)
        instance_id = await self._engine.start(
            StartRequest(
                name=asked.name,
                instance_id=asked.instance_id,
                version=asked.version,
                input=asked.input,
                scheduled_at=asked.scheduled_at,
                execution_id=asked.execution_id or "",
                tags=asked.tags,
                trace=asked.trace,
                policy=asked.policy,
            )
        )
        return responses.started(instance_id)

    async def get(self, data: bytes) -> bytes:
        asked = requests.read_get(data)
        return _found(await self._engine.get(asked.instance_id, payloads=True), payloads=asked.payloads)

    async def wait_for_start(self, data: bytes) -> bytes:
        asked = requests.read_get(data, "wait for start")
        view = await self._engine.wait(asked.instance_id, for_end=False)
        return _found(view, payloads=asked.payloads)

    async def wait_for_end(self, data: bytes) -> bytes:
        asked = requests.read_get(data, "wait for completion")
        view = await self._engine.wait(asked.instance_id, for_end=True)
        return _found(view, payloads=asked.payloads)

    async def raise_event(self, data: bytes) -> bytes:
        asked = requests.read_raise_event(data)
        await self._engine.raise_event(asked.instance_id, asked.name, asked.input)
        return NOTHING

    async def terminate(self, data: bytes) -> bytes:
        asked = requests.read_terminate(data)
        await self._engine.terminate(asked.instance_id, output=asked.output, recurse=asked.recursive)
        return NOTHING

    async def suspend(self, data: bytes) -> bytes:
        asked = requests.read_suspend(data)
        await self._engine.suspend(asked.instance_id, reason=asked.reason)
        return NOTHING

    async def resume(self, data: bytes) -> bytes:
        asked = requests.read_resume(data)
        await self._engine.resume(asked.instance_id, reason=asked.reason)
        return NOTHING

    async def rewind(self, data: bytes) -> bytes:
        asked = requests.read_rewind(data)
        await self._engine.rewind(asked.instance_id, reason=asked.reason)
        return NOTHING

    async def restart(self, data: bytes) -> bytes:
        asked = requests.read_restart(data)
        return responses.restarted(await self._engine.restart(asked.instance_id, with_new_id=asked.with_new_id))

    async def rerun(self, data: bytes) -> bytes:
        """For these clients a source that has not ended is a wrong argument, not a wrong moment."""
        asked = requests.read_rerun(data)
        try:
            new_id = await self._engine.rerun(
                asked.instance_id,
                asked.seq,
                new_id=asked.new_id or "",
                payload=asked.input if asked.overwrites_input else UNSET,
                new_child_id=asked.new_child_id or "",
            )
        except WrongState as error:
            raise InvalidRequest(str(error)) from error
        return responses.rerun(new_id)

    async def purge(self, data: bytes) -> bytes:
        match requests.read_purge(data):
            case requests.PurgeMatching() as asked:
                wanted = Filter(
                    statuses=asked.statuses, created_from=asked.created_from or 0, created_to=asked.created_to or 0
                )
                seconds = None if asked.timeout is None else asked.timeout / _NANOS
                purged = await self._engine.purge_all(wanted, recurse=asked.recursive, seconds_max=seconds)
                return responses.purged(purged.count, is_complete=purged.is_complete)
            case requests.PurgeOne(instance_id=instance_id) as asked:
                count = await self._purge_one(instance_id, recurse=asked.recursive, is_forced=asked.force)
                return responses.purged(count, is_complete=True)
            case requests.PurgeListed(instance_ids=instance_ids) as asked:
                count = 0
                for instance_id in instance_ids:
                    count += await self._purge_one(instance_id, recurse=asked.recursive, is_forced=asked.force)
                return responses.purged(count, is_complete=True)

    async def _purge_one(self, instance_id: str, *, recurse: bool, is_forced: bool) -> int:
        """These clients read a count of 0 as "there was nothing to purge", for an active instance too."""
        try:
            return (await self._engine.purge(instance_id, recurse=recurse, is_forced=is_forced)).count
        except WrongState:
            return 0

    async def query(self, data: bytes) -> bytes:
        asked = requests.read_query(data)
        wanted = Filter(
            statuses=asked.statuses | _STALLED if Status.RUNNING in asked.statuses else asked.statuses,
            created_from=asked.created_from or 0,
            created_to=asked.created_to or 0,
            id_prefix=asked.id_prefix,
        )
        page = await self._engine.query(wanted, limit=_limit(asked.limit), cursor=asked.cursor, payloads=asked.payloads)
        shown = (_snapshot(view, payloads=asked.payloads) for view in page.views)
        matching = (one for one in shown if not asked.statuses or one.status in asked.statuses)
        return responses.page(matching, cursor=page.cursor)

    async def list_ended(self, data: bytes) -> bytes:
        asked = requests.read_list_ended(data)
        wanted = Filter(
            statuses=asked.statuses,
            completed_from=asked.completed_from or 0,
            completed_to=asked.completed_to or 0,
            by_completion=True,
        )
        page = await self._engine.query(wanted, limit=_limit(asked.limit), cursor=asked.cursor)
        return responses.ended_ids((view.record.id for view in page.views), cursor=page.cursor)

    async def list_all(self, data: bytes) -> bytes:
        asked = requests.read_list_all(data)
        page = await self._engine.query(Filter(), limit=_limit(asked.limit), cursor=asked.cursor)
        return responses.all_ids((view.record.id for view in page.views), cursor=page.cursor)

    async def get_history(self, data: bytes) -> bytes:
        """Also what a worker asks for that lost its copy: then exactly the committed past."""
        return dapr.history(await self._engine.history(requests.read_get_history(data).instance_id))

    async def history_rows(self, data: bytes) -> list[bytes]:
        return list(await self._engine.history(requests.read_stream_history(data).instance_id))

    def history_chunk(self, rows: list[bytes]) -> bytes:
        return microsoft.history(rows)


def _limit(asked: int) -> int:
    return min(asked or PAGE_DEFAULT, PAGE_MAX)


def _found(view: View | None, *, payloads: bool) -> bytes:
    return responses.found(None if view is None else _snapshot(view, payloads=payloads))


def _shown(record: Record) -> Status:
    """Only Dapr has a number for STALLED. Other clients fail over it; to them the instance runs, as it will again."""
    is_foreign = record.status is Status.STALLED and record.dialect != Dialect.DAPR.value
    return Status.RUNNING if is_foreign else record.status


def _snapshot(view: View, *, payloads: bool) -> Snapshot:
    """Failure and custom status are shown in any case, input and output only when asked for."""
    record = view.record
    start = decode_event(view.start) if view.start is not None and payloads else None
    end = None if view.end is None else decode_event(view.end)
    ended = end if isinstance(end, WorkflowCompleted) else None
    return Snapshot(
        instance_id=record.id,
        name=record.name,
        status=_shown(record),
        created_at=record.created_at,
        updated_at=record.updated_at,
        version=record.label,
        scheduled_at=record.scheduled_at,
        input=start.input if isinstance(start, WorkflowStarted) else None,
        output=ended.result if ended is not None and payloads else None,
        custom_status=view.custom_status,
        failure=None if ended is None else ended.failure,
        execution_id=record.execution_id,
        completed_at=record.completed_at,
        parent_id=None if record.parent is None else record.parent.instance_id,
        tags=record.tags,
        parent_app_id=None if record.parent is None else record.parent.app_id,
        started_at=record.started_at,
    )
