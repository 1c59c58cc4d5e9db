"""Activities at the worker: the user's functions run in tasks of the relay, and their answers handed on.

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
from holdfast._worker.relay import Relay
from holdfast._worker.turns import Answer, fill_answer
from holdfast.authoring import Activity
from holdfast.errors import ActivityCanceled, PayloadError, PayloadTooLarge
from holdfast.registry import Registry
from holdfast_proto.history import ActivityCompleted, ActivityFailed, Failure
from holdfast_proto.v1 import worker_pb2 as pb
from holdfast_proto.v1.history_pb2 import HistoryEvent

_log = logging.getLogger("holdfast.worker")

_NO_TOKEN: Final = 0
_Key: TypeAlias = tuple[str, str, int]


class Running:
    """`token` names the sending that waits for the answer; without one nobody does."""

    __slots__ = ("activity", "info", "input", "task", "token")

    def __init__(self, token: int, info: ActivityInfo, activity: Activity[..., Any], input: str | None) -> None:
        self.token = token
        self.info = info
        self.activity = activity
        self.input = input
        self.task: asyncio.Task[Any] | None = None  # once it has begun


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
        self._relay = Relay(group, self._run, self._flush)
        self._loop = asyncio.get_running_loop()
        self._executors = Executors(threads=threads, processes=processes)
        self._fuse = fuse
        self._running: dict[ActivityInfo, Running] = {}
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
        for running in self._running.values():
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
        for running in self._running.values():
            running.info.cancel()
            if running.task is not None:
                running.task.cancel()
        self._executors.close()
        return left

    # -- what the sidecar says -------------------------------------------------------------------------------------

    def take(self, item: pb.Activity) -> None:
        """Read from the message at once: of all that the fact may hold, a running activity needs little."""
        event = item.event
        if not event.HasField("activity_scheduled"):
            _log.error("an activity cannot be read", extra={"instance_id": item.instance_id, "size": event.ByteSize()})
            self._abandon(item.token, "unreadable: expected ActivityScheduled, found another fact")
            return
        scheduled = event.activity_scheduled
        activity = self._registry.activities.get(scheduled.name)
        if activity is None:
            self._abandon(item.token, "this worker has no such activity")
        elif self._is_draining:
            self._abandon(item.token, "this worker drains")
        elif not self._orphans or not self._take_orphan(item):
            payload = scheduled.input.value if scheduled.HasField("input") else None
            self._begin(item.token, _info_of(item, event, activity.name, self._beat), activity, payload)

    def _take_orphan(self, item: pb.Activity) -> bool:
        orphan = self._orphans.pop((item.instance_id, item.execution_id, item.event.event_id), None)
        if orphan is None:
            return False
        orphan.token = item.token
        self._by_token[item.token] = orphan
        self._frames.grant(activities=1)  # its slot was counted as taken already
        return True

    def _begin(self, token: int, info: ActivityInfo, activity: Activity[..., Any], payload: str | None) -> None:
        running = self._running[info] = self._by_token[token] = Running(token, info, activity, payload)
        self.idle.clear()
        self._relay.put(running)

    def cancel(self, cancel: pb.Cancel) -> None:
        running = self._by_token.get(cancel.token)
        if running is None:
            return
        running.info.cancel()
        if cancel.reason != pb.Cancel.REQUESTED:  # the sidecar has answered in our place
            running.token = _NO_TOKEN
            del self._by_token[cancel.token]
        if running.activity.is_async and running.task is not None:
            running.task.cancel()

    # -- one run ---------------------------------------------------------------------------------------------------

    async def _run(self, running: Running) -> None:
        running.task = task = self._relay.runner
        info = running.info
        set_before = current.set(info)
        answer: ActivityCompleted | ActivityFailed
        try:
            payload = await self._call(running)
            answer = ActivityCompleted(at=0, seq=info.seq, result=payload)
        except asyncio.CancelledError as error:
            if task is not None and task.cancelling() and not info.is_canceled:
                self._ended(running)  # the worker itself is cancelled
                raise
            answer = ActivityFailed(at=0, seq=info.seq, failure=_failure(error, info))
        except (KeyboardInterrupt, GeneratorExit):
            self._ended(running)
            raise
        except BaseException as error:  # noqa: BLE001 - the user's error, sys.exit() included, is a value of ours
            answer = ActivityFailed(at=0, seq=info.seq, failure=_failure(error, info))
        current.reset(set_before)
        self._answer(running, answer)
        self._ended(running)

    async def _call(self, running: Running) -> str | None:
        activity = running.activity
        if running.info.is_canceled:
            raise asyncio.CancelledError
        arguments = activity.signature.decode(running.input)
        if activity.is_async:
            result = await self._relay.until_done(activity(*arguments))
        elif activity.in_process:
            self._relay.waits()
            result = await self._executors.in_process(activity, *arguments)
        else:
            self._relay.waits()
            result = await self._executors.in_thread(contextvars.copy_context(), activity, *arguments)
        payload = activity.signature.encode_result(result)
        self._check_size(activity, payload)
        return payload

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

    def _beat(self, info: ActivityInfo, details: str | None) -> None:
        """From any thread. The activity does not hold its Running: the two would live until the collector comes."""
        self._loop.call_soon_threadsafe(self._send_beat, info, details)

    def _send_beat(self, info: ActivityInfo, details: str | None) -> None:
        running = self._running.get(info)
        if running is not None and running.token:
            item = self._frames.item().heartbeats.add()
            item.token = running.token
            if details is not None:
                item.details = details

    # -- answers ---------------------------------------------------------------------------------------------------

    def _answer(self, running: Running, answer: ActivityCompleted | ActivityFailed) -> None:
        if not running.token:
            self._frames.grant(activities=1)
            return
        info = running.info
        self._answers[info.instance_id, info.execution_id].append((running.token, answer))
        if not self._is_flushing and self._relay.runner is not running.task:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def _ended(self, running: Running) -> None:
        self._running.pop(running.info, None)
        self._by_token.pop(running.token, None)
        if self._orphans:
            self._orphans.pop(_key(running.info), None)
        if not self._running and not self._answers:
            self.idle.set()

    def _flush(self) -> None:
        """What ended in the same pass of the loop goes to its run together."""
        self._is_flushing = False
        if not self._answers:
            return
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


def _info_of(
    item: pb.Activity, event: HistoryEvent, name: str, beat: Callable[[ActivityInfo, str | None], None]
) -> ActivityInfo:
    extras = event.extras if event.HasField("extras") else None
    return ActivityInfo(
        name,
        item.instance_id,
        item.execution_id,
        item.workflow_name,
        event.event_id,
        item.delivery,
        "" if extras is None else extras.task_execution_id,
        {} if extras is None else dict(extras.tags),
        item.heartbeat_details if item.HasField("heartbeat_details") else None,
        beat,
    )


def _failure(error: BaseException, info: ActivityInfo) -> Failure:
    if info.is_canceled and isinstance(error, asyncio.CancelledError | ActivityCanceled):
        message = f"activity {info.name!r}: it was asked to stop"
        return Failure(kind="ActivityCanceled", message=message, is_non_retryable=True)
    failure = failure_of(error)
    # What does not fit its type, or is too large, will not fit at the next try either.
    return replace(failure, is_non_retryable=True) if isinstance(error, PayloadError) else failure
