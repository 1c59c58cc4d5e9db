"""Activities at the worker: each a task that runs the user's function and hands on its answer.

sent --take--> running --ended--> answered, together with what else ended in the same pass of the loop
                  |
                  +-- stream broke --> orphaned --sent again--> running (the same run, under its new token)
                                          |
                                          +-- ended: its answer is nobody's, and it will be run again
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from holdfast._replay.failures import failure_of
from holdfast._worker.executors import Executors
from holdfast._worker.frames import Frames
from holdfast._worker.info import ActivityInfo, current
from holdfast._worker.turns import Answer, fill_answer
from holdfast.authoring import Activity
from holdfast.errors import ActivityCanceled, PayloadError, PayloadTooLarge
from holdfast.registry import Registry
from holdfast_proto.codec import Unreadable, event_of
from holdfast_proto.history import ActivityCompleted, ActivityFailed, ActivityScheduled, Failure
from holdfast_proto.v1 import worker_pb2 as pb

_log = logging.getLogger("holdfast.worker")

_NO_TOKEN: Final = 0
_Key: TypeAlias = tuple[str, str, int]


class Running:
    """`token` names the sending that waits for the answer; without one nobody does."""

    __slots__ = ("info", "task", "token")

    task: asyncio.Task[None]

    def __init__(self, token: int, info: ActivityInfo) -> None:
        self.token = token
        self.info = info


class Activities:
    def __init__(
        self,
        registry: Registry,
        group: asyncio.TaskGroup,
        *,
        slots: int,
        threads: int,
        processes: int,
        fuse: Callable[[str, str, Sequence[Answer]], bool],
    ) -> None:
        self._registry = registry
        self._frames = Frames()
        self._slots = slots
        self._group = group
        self._loop = asyncio.get_running_loop()
        self._executors = Executors(threads=threads, processes=processes)
        self._fuse = fuse
        self._running: set[Running] = set()
        self._by_token: dict[int, Running] = {}
        self._orphans: dict[_Key, Running] = {}
        self._answers: defaultdict[tuple[str, str], list[Answer]] = defaultdict(list)
        self._is_flushing = self._is_draining = False
        self.payload_bytes_max = 1 << 62
        self.idle = asyncio.Event()
        self.idle.set()

    def __len__(self) -> int:
        return len(self._running)

    # -- streams ---------------------------------------------------------------------------------------------------

    def connected(self, frames: Frames) -> None:
        """A new stream: what runs for the old one goes on, in case that it is sent here again."""
        self._frames = frames
        frames.grant(activities=max(0, self._slots - len(self._running)))
        self._answers.clear()
        for running in self._running:
            running.token = _NO_TOKEN
            if not running.info.is_canceled:
                self._orphans[_key(running.info)] = running
        self._by_token.clear()

    def drain(self) -> None:
        """What comes from now on goes back."""
        self._is_draining = True

    def close(self) -> int:
        """Asks what still runs to stop and waits for nothing. Gives how many there were."""
        left = len(self._running)
        for running in self._running:
            running.info.canceled.set()
            running.task.cancel()
        self._executors.close()
        return left

    # -- what the sidecar says -------------------------------------------------------------------------------------

    def take(self, item: pb.Activity) -> None:
        try:
            event = event_of(item.event)
        except Unreadable as error:
            _log.error("an activity cannot be read", extra={"instance_id": item.instance_id, "error": str(error)})
            self._abandon(item.token, f"unreadable: {error}")
            return
        if not isinstance(event, ActivityScheduled) or event.name not in self._registry.activities:
            self._abandon(item.token, "this worker has no such activity")
        elif self._is_draining:
            self._abandon(item.token, "this worker drains")
        else:
            self._begin(item, event)

    def _begin(self, item: pb.Activity, event: ActivityScheduled) -> None:
        orphan = self._orphans.pop((item.instance_id, item.execution_id, event.seq), None)
        if orphan is not None:
            orphan.token = item.token
            self._by_token[item.token] = orphan
            self._frames.grant(activities=1)  # its slot was counted as taken already
            return
        running = Running(item.token, _info_of(item, event))
        running.info.beat = self._beats(running)
        self._running.add(running)
        self._by_token[item.token] = running
        self.idle.clear()
        activity = self._registry.activities[event.name]
        running.task = self._group.create_task(self._run(running, activity, event))

    def cancel(self, cancel: pb.Cancel) -> None:
        running = self._by_token.get(cancel.token)
        if running is None:
            return
        running.info.canceled.set()
        if cancel.reason != pb.Cancel.REQUESTED:  # the sidecar has answered in our place
            running.token = _NO_TOKEN
            del self._by_token[cancel.token]
        if self._registry.activities[running.info.name].is_async:
            running.task.cancel()

    # -- one run ---------------------------------------------------------------------------------------------------

    async def _run(self, running: Running, activity: Activity[..., Any], event: ActivityScheduled) -> None:
        answer: ActivityCompleted | ActivityFailed
        try:
            payload = await self._call(activity, event, running.info)
            self._check_size(activity, payload)
            answer = ActivityCompleted(at=0, seq=event.seq, result=payload)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling() and not running.info.is_canceled:
                self._ended(running)  # the worker itself is cancelled
                raise
            answer = ActivityFailed(at=0, seq=event.seq, failure=_failure(error, running.info))
        except (KeyboardInterrupt, GeneratorExit):
            self._ended(running)
            raise
        except BaseException as error:  # noqa: BLE001 - the user's error, sys.exit() included, is a value of ours
            answer = ActivityFailed(at=0, seq=event.seq, failure=_failure(error, running.info))
        self._answer(running, answer)
        self._ended(running)

    async def _call(self, activity: Activity[..., Any], event: ActivityScheduled, info: ActivityInfo) -> str | None:
        arguments = activity.signature.decode(event.input)
        if activity.is_async:
            current.set(info)
            result = await activity(*arguments)
        elif activity.in_process:
            result = await self._executors.in_process(activity, *arguments)
        else:
            context = contextvars.copy_context()
            context.run(current.set, info)
            result = await self._executors.in_thread(context, activity, *arguments)
        return activity.signature.encode_result(result)

    def _check_size(self, activity: Activity[..., Any], payload: str | None) -> None:
        bound = self.payload_bytes_max
        if payload is None or len(payload) * 4 <= bound:
            return
        size = len(payload.encode(errors="surrogatepass"))
        if size > bound:
            raise PayloadTooLarge(
                f"result of {activity.name}(): expected at most {bound} bytes, found {size}; store it elsewhere and "
                "return a reference"
            )

    def _beats(self, running: Running) -> Callable[[str | None], None]:
        def send(details: str | None) -> None:
            if running.token and running in self._running:
                item = self._frames.item().heartbeats.add()
                item.token = running.token
                if details is not None:
                    item.details = details

        def beat(details: str | None) -> None:
            self._loop.call_soon_threadsafe(send, details)

        return beat

    # -- answers ---------------------------------------------------------------------------------------------------

    def _answer(self, running: Running, answer: ActivityCompleted | ActivityFailed) -> None:
        if not running.token:
            self._frames.grant(activities=1)
            return
        info = running.info
        self._answers[info.instance_id, info.execution_id].append((running.token, answer))
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def _ended(self, running: Running) -> None:
        self._running.discard(running)
        self._by_token.pop(running.token, None)
        if self._orphans:
            self._orphans.pop(_key(running.info), None)
        if not self._running and not self._is_flushing:
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
        if count:
            self._frames.grant(activities=count)
        if not self._running:
            self.idle.set()

    def _abandon(self, token: int, reason: str) -> None:
        done = self._frames.item().activities.add()
        done.token = token
        done.abandoned = reason
        self._frames.grant(activities=1)


def _key(info: ActivityInfo) -> _Key:
    return info.instance_id, info.execution_id, info.seq


def _info_of(item: pb.Activity, event: ActivityScheduled) -> ActivityInfo:
    return ActivityInfo(
        event.name,
        item.instance_id,
        item.execution_id,
        item.workflow_name,
        event.seq,
        item.delivery,
        event.task_execution_id,
        event.tags,
        item.heartbeat_details if item.HasField("heartbeat_details") else None,
    )


def _failure(error: BaseException, info: ActivityInfo) -> Failure:
    if info.is_canceled and isinstance(error, asyncio.CancelledError | ActivityCanceled):
        message = f"activity {info.name!r}: it was asked to stop"
        return Failure(kind="ActivityCanceled", message=message, is_non_retryable=True)
    failure = failure_of(error)
    # What does not fit its type, or is too large, will not fit at the next try either.
    return replace(failure, is_non_retryable=True) if isinstance(error, PayloadError) else failure
