"""Activities at the worker: async ones as tasks, sync ones in threads, CPU-bound ones in processes on request."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import multiprocessing
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from holdfast._replay.failures import failure_of
from holdfast._worker.frames import Frames
from holdfast._worker.turns import Answer, fill_answer
from holdfast.authoring import Activity
from holdfast.errors import ActivityCanceled, HoldfastError, PayloadTooLarge
from holdfast.registry import Registry
from holdfast_proto.codec import Unreadable, event_of
from holdfast_proto.history import ActivityCompleted, ActivityFailed, ActivityScheduled, Failure
from holdfast_proto.v1 import worker_pb2 as pb

_log = logging.getLogger("holdfast.worker")
_INSTANCE_ENDED: Final = (pb.Cancel.INSTANCE_ENDED, pb.Cancel.LOST)


@dataclass(slots=True)
class ActivityInfo:
    """What an activity may know of the call that it serves."""

    name: str
    instance_id: str
    execution_id: str
    workflow_name: str
    seq: int
    attempt: int  # of this sending; above 1 after a crash or a lost worker
    task_execution_id: str  # the same for all retries of one call: a key for idempotency
    tags: dict[str, str]
    heartbeat_details: str | None = None  # the last that an earlier sending reported
    beat: Callable[[str | None], None] = field(default=lambda _: None, repr=False)
    canceled: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def is_canceled(self) -> bool:
        """Whether somebody asked it to stop. An async activity gets CancelledError; a sync one has to look here."""
        return self.canceled.is_set()

    def heartbeat(self, details: str | None = None) -> None:
        """Says that the activity is alive. Raises ActivityCanceled once it has been asked to stop. From any thread."""
        if self.canceled.is_set():
            raise ActivityCanceled(f"activity {self.name!r}: it was asked to stop")
        self.beat(details)


_current: contextvars.ContextVar[ActivityInfo] = contextvars.ContextVar("holdfast_activity")


def current_activity() -> ActivityInfo:
    """The call that the running activity serves. Raises HoldfastError outside of one."""
    try:
        return _current.get()
    except LookupError:
        raise HoldfastError("current_activity(): expected to run inside an activity, found none") from None


class Activities:
    """Runs what is sent, gathers the answers of one pass of the loop by instance, and hands them on together."""

    def __init__(
        self,
        registry: Registry,
        frames: Frames,
        group: asyncio.TaskGroup,
        *,
        threads: int,
        processes: int,
        fuse: Callable[[str, str, list[Answer]], bool],
    ) -> None:
        self._registry = registry
        self._frames = frames
        self._group = group
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="holdfast-activity")
        self._processes: ProcessPoolExecutor | None = None
        self._processes_max = processes
        self._fuse = fuse
        self._running: dict[int, tuple[asyncio.Task[None], ActivityInfo]] = {}
        self._answers: defaultdict[tuple[str, str], list[Answer]] = defaultdict(list)
        self._is_flushing = False
        self._lost: set[int] = set()
        self.payload_bytes_max = 1 << 62
        self.idle = asyncio.Event()
        self.idle.set()

    def __len__(self) -> int:
        return len(self._running)

    def connected(self, frames: Frames) -> None:
        """A new stream: what still runs for the old one is answered to nobody."""
        self._frames = frames
        self._lost.update(self._running)
        self._answers.clear()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._processes is not None:
            self._processes.shutdown(wait=False, cancel_futures=True)

    def take(self, item: pb.Activity) -> None:
        try:
            event = event_of(item.event)
        except Unreadable as error:
            _log.error("an activity cannot be read", extra={"instance_id": item.instance_id, "error": str(error)})
            self._abandon(item.token, f"unreadable: {error}")
            return
        if not isinstance(event, ActivityScheduled) or event.name not in self._registry.activities:
            self._abandon(item.token, "this worker has no such activity")
            return
        info = ActivityInfo(
            event.name,
            item.instance_id,
            item.execution_id,
            item.workflow_name,
            event.seq,
            item.delivery,
            event.task_execution_id,
            event.tags,
            item.heartbeat_details if item.HasField("heartbeat_details") else None,
            self._beats(item.token),
        )
        task = self._group.create_task(self._run(item.token, self._registry.activities[event.name], event, info))
        self._running[item.token] = (task, info)
        self.idle.clear()

    def cancel(self, cancel: pb.Cancel) -> None:
        entry = self._running.get(cancel.token)
        if entry is None:
            return
        task, info = entry
        info.canceled.set()
        if cancel.reason in _INSTANCE_ENDED:
            self._lost.add(cancel.token)
        if self._registry.activities[info.name].is_async:
            task.cancel()

    async def _run(
        self, token: int, activity: Activity[..., Any], event: ActivityScheduled, info: ActivityInfo
    ) -> None:
        answer: ActivityCompleted | ActivityFailed
        try:
            payload = await self._call(activity, event, info)
            self._check_size(activity, payload)
            answer = ActivityCompleted(at=0, seq=event.seq, result=payload)
        except asyncio.CancelledError:
            if not info.is_canceled:
                self._ended(token)
                raise
            failure = Failure(
                kind="ActivityCanceled", message=f"activity {event.name!r}: it was asked to stop", is_non_retryable=True
            )
            answer = ActivityFailed(at=0, seq=event.seq, failure=failure)
        except Exception as error:  # noqa: BLE001 - the user's error is a value of ours
            answer = ActivityFailed(at=0, seq=event.seq, failure=failure_of(error))
        self._finished(token, info, answer)

    async def _call(self, activity: Activity[..., Any], event: ActivityScheduled, info: ActivityInfo) -> str | None:
        arguments = activity.signature.decode(event.input)
        if activity.is_async:
            _current.set(info)
            result = await activity(*arguments)
        else:
            call: Callable[..., Any] = activity.function if activity.owner is None else activity
            if activity.in_process:
                result = await self._loop.run_in_executor(self._pool(), call, *arguments)
            else:
                context = contextvars.copy_context()
                context.run(_current.set, info)
                result = await self._loop.run_in_executor(self._threads, lambda: context.run(call, *arguments))
        return activity.signature.encode_result(result)

    def _pool(self) -> Executor:
        """Processes are spawned, never forked: gRPC does not survive a fork."""
        if self._processes is None:
            self._processes = ProcessPoolExecutor(self._processes_max, mp_context=multiprocessing.get_context("spawn"))
        return self._processes

    def _check_size(self, activity: Activity[..., Any], payload: str | None) -> None:
        bound = self.payload_bytes_max
        if payload is None or len(payload) * 4 <= bound:
            return
        size = len(payload.encode())
        if size > bound:
            raise PayloadTooLarge(
                f"result of {activity.name}(): expected at most {bound} bytes, found {size}; store it elsewhere and "
                "return a reference"
            )

    def _beats(self, token: int) -> Callable[[str | None], None]:
        def beat(details: str | None) -> None:
            self._loop.call_soon_threadsafe(self._send_beat, token, details)

        return beat

    def _send_beat(self, token: int, details: str | None) -> None:
        if token in self._running and token not in self._lost:
            item = self._frames.item().heartbeats.add()
            item.token = token
            if details is not None:
                item.details = details

    # -- answers ---------------------------------------------------------------------------------------------------

    def _finished(self, token: int, info: ActivityInfo, answer: ActivityCompleted | ActivityFailed) -> None:
        self._ended(token)
        if token in self._lost:
            self._lost.discard(token)
            self._frames.grant(activities=1)
            return
        self._answers[info.instance_id, info.execution_id].append((token, answer))
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def _ended(self, token: int) -> None:
        self._running.pop(token, None)
        if not self._running:
            self.idle.set()

    def _flush(self) -> None:
        """What ended in the same pass of the loop goes to its run together."""
        self._is_flushing = False
        gathered, self._answers = self._answers, defaultdict(list)
        count = 0
        for (instance_id, execution_id), answers in gathered.items():
            count += len(answers)
            if not self._fuse(instance_id, execution_id, answers):
                for token, answer in answers:
                    fill_answer(self._frames.item().activities.add(), token, answer)
        self._frames.grant(activities=count)

    def _abandon(self, token: int, reason: str) -> None:
        done = self._frames.item().activities.add()
        done.token = token
        done.abandoned = reason
        self._frames.grant(activities=1)
