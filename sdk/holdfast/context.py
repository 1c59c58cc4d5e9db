"""What workflow code can do: its first argument. Everything here is the same at each replay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Final, NoReturn, TypedDict, TypeVar, TypeVarTuple, Unpack, cast, overload
from uuid import UUID

from holdfast import serialization
from holdfast._replay.desk import Desk
from holdfast._replay.loop import NEVER_AT
from holdfast._replay.operations import ActivityCall, Call, ChildCall, Decode, EventCall, Remote, SleepCall
from holdfast._signature import encode_arguments
from holdfast.authoring import Activity, Workflow
from holdfast.errors import ContinueAsNew, UndeclaredError
from holdfast.logs import WorkflowLogger
from holdfast.retry import Retry, Seconds, to_nanos
from holdfast.saga import Saga
from holdfast_proto.actions import SendEvent, StartDetached
from holdfast_proto.history import ActivityOptions, Parent

T = TypeVar("T")
R = TypeVar("R")
Ts = TypeVarTuple("Ts")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NOTHING: Final = object()
_TIMEOUTS: Final = ("start_to_close", "schedule_to_start", "heartbeat")


class CallOptions(TypedDict, total=False):
    """How an activity is run. Times are seconds or timedeltas."""

    retry: Retry | None
    start_to_close: Seconds  # one try may take so long
    schedule_to_start: Seconds  # a try may wait so long for a free worker
    heartbeat: Seconds  # a try must be heard of so often
    local_first: bool  # prefer a worker of the host that runs the workflow
    version: str
    tags: dict[str, str]


class ChildOptions(TypedDict, total=False):
    """How a child is started. Without `id` one is made of the parent's."""

    id: str
    retry: Retry | None
    version: str
    tags: dict[str, str]


class DetachedOptions(TypedDict, total=False):
    """How a workflow of its own is started. `at` holds it back until then."""

    id: str
    at: datetime
    version: str
    tags: dict[str, str]


class Context:
    """Of one run. Only the workflow's own code may use it, and only while it runs."""

    __slots__ = ("_log", "_random", "_run")

    def __init__(self, run: Desk) -> None:
        self._run = run
        self._random: Random | None = None
        self._log: WorkflowLogger | None = None

    # ---- who and when ------------------------------------------------------------------------------------------------

    @property
    def instance_id(self) -> str:
        return self._run.instance_id

    @property
    def execution_id(self) -> str:
        """Of this generation: continue_as_new() changes it, a crash does not."""
        return self._run.execution_id

    @property
    def workflow_name(self) -> str:
        return self._run.info.name

    @property
    def version(self) -> str | None:
        """What the instance was started with."""
        return self._run.info.version

    @property
    def parent(self) -> Parent | None:
        return self._run.info.parent

    @property
    def tags(self) -> dict[str, str]:
        return dict(self._run.info.tags)

    @property
    def is_replaying(self) -> bool:
        """Whether this code ran before and only finds its way back. Never let what the workflow does depend on it."""
        return self._run.is_replaying

    def now(self) -> datetime:
        """The time at which this turn began, in UTC. It stands still until the workflow waits."""
        return _EPOCH + timedelta(microseconds=self._run.now // 1000)

    def time_ns(self) -> int:
        return self._run.now

    @property
    def random(self) -> Random:
        """Of this run alone: the same numbers at each replay."""
        if self._random is None:
            self._random = Random(f"{self._run.instance_id}/{self._run.execution_id}")
        return self._random

    def uuid4(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    @property
    def log(self) -> WorkflowLogger:
        """Silent while the past is replayed."""
        if self._log is None:
            self._log = WorkflowLogger(self._run)
        return self._log

    # ---- activities --------------------------------------------------------------------------------------------------

    @overload
    def call(
        self, activity: Callable[[*Ts], Awaitable[R]], /, *args: *Ts, **options: Unpack[CallOptions]
    ) -> Call[R]: ...
    @overload
    def call(self, activity: Callable[[*Ts], R], /, *args: *Ts, **options: Unpack[CallOptions]) -> Call[R]: ...
    @overload
    def call(self, activity: str, /, *args: Any, returns: type[T], **options: Unpack[CallOptions]) -> Call[T]: ...
    @overload
    def call(self, activity: str, /, *args: Any, returns: Any = ..., **options: Unpack[CallOptions]) -> Call[Any]: ...
    def call(self, activity: Any, /, *args: Any, returns: Any = Any, **options: Any) -> Call[Any]:  # type: ignore[misc]  # mypy does not see that *Any takes *Ts
        """Runs an activity: begins now, gives its result when awaited.

        By name for one that is declared elsewhere; then `returns` is the type of its result. A failure that is final
        raises ActivityFailed, or the type that the activity declares with `raises`.
        """
        raises: tuple[type[BaseException], ...] = ()
        decode: Decode
        if isinstance(activity, Activity):
            known = cast("Activity[..., Any]", activity)
            name, payload, decode, raises = (
                known.name,
                known.signature.encode(args),
                known.signature.decode_result,
                known.raises,
            )
        elif isinstance(activity, str):
            name, payload = activity, encode_arguments(args, what=f"{activity}()")
            decode = partial(serialization.decode, kind=returns, what=f"result of {activity}()")
        else:
            raise _undeclared(activity, "activity", "ctx.call()")
        run = self._run
        run.check_size(payload, what=f"arguments of {name}()")
        remote = (
            _remote_activity(name, payload, decode, raises, options)
            if options
            else Remote(name, payload, decode, raises=raises)
        )
        call = run.new_call(ActivityCall)
        call.begin(remote)
        return call

    # ---- other workflows ---------------------------------------------------------------------------------------------

    @overload
    def child(
        self,
        workflow: Callable[[Context, *Ts], Awaitable[R]],
        /,
        *args: *Ts,
        **options: Unpack[ChildOptions],
    ) -> Call[R]: ...
    @overload
    def child(self, workflow: str, /, *args: Any, returns: type[T], **options: Unpack[ChildOptions]) -> Call[T]: ...
    @overload
    def child(self, workflow: str, /, *args: Any, returns: Any = ..., **options: Unpack[ChildOptions]) -> Call[Any]: ...
    def child(self, workflow: Any, /, *args: Any, returns: Any = Any, **options: Any) -> Call[Any]:  # type: ignore[misc]  # mypy does not see that *Any takes *Ts
        """Starts a child workflow now, gives its result when awaited. Its failure raises ChildFailed.

        When nobody waits for it any more (cancelled, timed out) it is terminated. One that shall live on its own is
        started with start_detached().
        """
        name, payload, decode, version = self._target(workflow, args, returns, "ctx.child()")
        call = self._run.new_call(ChildCall)
        call.instance_id = options.get("id", "")
        call.begin(
            Remote(
                name,
                payload,
                decode,
                retry=options.get("retry"),
                version=options.get("version", version),
                tags=options.get("tags", {}),
            )
        )
        return call

    @overload
    def start_detached(
        self,
        workflow: Callable[[Context, *Ts], Awaitable[Any]],
        /,
        *args: *Ts,
        **options: Unpack[DetachedOptions],
    ) -> str: ...
    @overload
    def start_detached(self, workflow: str, /, *args: Any, **options: Unpack[DetachedOptions]) -> str: ...
    def start_detached(self, workflow: Any, /, *args: Any, **options: Any) -> str:  # type: ignore[misc]  # mypy does not see that *Any takes *Ts
        """Starts a workflow that nobody here waits for; returns its instance id."""
        name, payload, _, version = self._target(workflow, args, Any, "ctx.start_detached()")
        run = self._run
        seq = run.next_seq()
        instance_id: str = options.get("id") or run.child_id(seq)
        at: datetime | None = options.get("at")
        run.emit(
            StartDetached(
                seq=seq,
                instance_id=instance_id,
                name=name,
                version=options.get("version", version),
                input=payload,
                scheduled_at=None if at is None else _nanos_of(at, what="ctx.start_detached(at)"),
                tags=options.get("tags", {}),
            )
        )
        return instance_id

    def _target(
        self, workflow: Any, args: tuple[Any, ...], returns: Any, where: str
    ) -> tuple[str, str | None, Decode, str | None]:
        if isinstance(workflow, Workflow):
            known = cast("Workflow[..., Any]", workflow)
            payload = known.signature.encode(args)
            found = known.name, payload, known.signature.decode_result, known.version
        elif isinstance(workflow, str):
            payload = encode_arguments(args, what=f"{workflow}()")
            decode = partial(serialization.decode, kind=returns, what=f"result of {workflow}()")
            found = workflow, payload, decode, None
        else:
            raise _undeclared(workflow, "workflow", where)
        self._run.check_size(payload, what=f"input of {found[0]}()")
        return found

    # ---- events ------------------------------------------------------------------------------------------------------

    @overload
    def event(self, name: str, kind: type[T], *, timeout: Seconds | None = None) -> Call[T]: ...
    @overload
    def event(self, name: str, kind: Any = Any, *, timeout: Seconds | None = None) -> Call[Any]: ...
    def event(self, name: str, kind: Any = Any, *, timeout: Seconds | None = None) -> Call[Any]:
        """Waits for the next event of that name, whether it is still to come or came before anybody waited.

        Events of one name are given out in the order of their arrival. With `timeout`, TimeoutError after so long.
        """
        fire_at = None if timeout is None else self._run.now + to_nanos(timeout, what="ctx.event(timeout)")
        call = self._run.new_call(EventCall)
        call.begin(name, partial(serialization.decode, kind=kind, what=f"event {name!r}"), fire_at=fire_at)
        return call

    def send_event(self, instance_id: str, name: str, payload: Any = _NOTHING) -> None:
        """Sends an event to another instance. It goes out with this turn; an instance that is gone gets nothing."""
        text = None if payload is _NOTHING else serialization.encode(payload, what=f"event {name!r}")
        self._run.check_size(text, what=f"event {name!r}")
        self._run.emit(SendEvent(seq=self._run.next_seq(), instance_id=instance_id, name=name, input=text))

    # ---- time --------------------------------------------------------------------------------------------------------

    def sleep(self, duration: Seconds, *, name: str | None = None) -> Call[None]:
        """A durable timer of any length. asyncio.sleep() is one as well; this one can have a name for the timeline."""
        return self._sleep_to(self._run.now + to_nanos(duration, what="ctx.sleep()"), name)

    def sleep_until(self, when: datetime, *, name: str | None = None) -> Call[None]:
        return self._sleep_to(_nanos_of(when, what="ctx.sleep_until()"), name)

    def _sleep_to(self, fire_at: int, name: str | None) -> Call[None]:
        call = self._run.new_call(SleepCall)
        call.begin(min(fire_at, NEVER_AT), name)
        return call

    # ---- the run itself ----------------------------------------------------------------------------------------------

    def set_status(self, status: Any) -> None:
        """What queries show of the instance while it runs. None clears it."""
        text = None if status is None else serialization.encode(status, what="ctx.set_status()")
        self._run.check_size(text, what="ctx.set_status()")
        self._run.set_custom_status(text)

    def continue_as_new(
        self,
        input: Any = _NOTHING,
        *,
        carry_events: bool = True,
        version: str | None = None,
        tags: dict[str, str] | None = None,
    ) -> NoReturn:
        """Ends this generation and begins the next with an empty history. Events that nobody took go along.

        It raises to get out of the workflow: do not catch BaseException around it.
        """
        text = None if input is _NOTHING else serialization.encode(input, what="ctx.continue_as_new()")
        self._run.check_size(text, what="ctx.continue_as_new()")
        raise ContinueAsNew(input=text, carries_events=carry_events, version=version, tags=tags)

    def patched(self, name: str) -> bool:
        """Guards a change of code: True in runs that came here with the change, False in those that came without it."""
        return self._run.patched(name)

    def saga(self) -> Saga:
        """Compensations that run in reverse order when the block fails. See Saga."""
        return Saga(self)


def _remote_activity(
    name: str, payload: str | None, decode: Decode, raises: tuple[type[BaseException], ...], options: dict[str, Any]
) -> Remote:
    unknown = options.keys() - CallOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"ctx.call({name}): unknown option {min(unknown)!r}; arguments of the activity go by position")
    bounds = {key: to_nanos(options[key], what=f"ctx.call({key})") for key in _TIMEOUTS if options.get(key) is not None}
    is_local_first: bool = options.get("local_first", False)
    return Remote(
        name,
        payload,
        decode,
        retry=options.get("retry"),
        version=options.get("version"),
        tags=options.get("tags", {}),
        options=ActivityOptions(is_local_first=is_local_first, **bounds) if bounds or is_local_first else None,
        raises=raises,
    )


def _undeclared(found: object, kind: str, where: str) -> UndeclaredError:
    if isinstance(found, (Activity, Workflow)):
        other = "ctx.child()" if kind == "activity" else "ctx.call()"
        return UndeclaredError(f"{where}: expected {kind}, found {found!r}; use {other}")
    name = getattr(found, "__qualname__", None) or repr(found)
    return UndeclaredError(
        f"{where}: {name} is not declared; decorate it with @holdfast.{kind}, or pass its name as a string"
    )


def _nanos_of(when: datetime, *, what: str) -> int:
    if when.tzinfo is None:
        raise ValueError(
            f"{what}: expected a time with a zone, found {when.isoformat()}; use ctx.now() + timedelta(...)"
        )
    return (when - _EPOCH) // _MICROSECOND * 1000
