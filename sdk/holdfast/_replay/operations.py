"""What a workflow waits for: futures that ask for something when they are made and are answered by facts.

Every Call begins at once, not when it is awaited: two of them made one after the other run side by side. Being
cancelled (by hand, by a timeout, by a TaskGroup) takes the request back: unsent if it was made in this turn, else by an
action that cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from msgspec import Struct

from holdfast._replay.failures import bases_of
from holdfast._replay.loop import ReplayFuture, Timer
from holdfast.errors import ActivityFailed, ChildFailed, RemoteFailure
from holdfast.retry import Retry
from holdfast_proto.actions import ScheduleActivity, StartChild
from holdfast_proto.history import ActivityOptions, Failure, TimerOrigin

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from holdfast._replay.desk import Desk

    T = TypeVar("T")

    class Call(ReplayFuture[T], Coroutine[Any, Any, T]):
        """What ctx.call() and the like return: await it, gather it, or give it to create_task()."""

        run: Desk

        def send(self, value: Any, /) -> Any: ...
        def throw(self, *args: Any) -> Any: ...
        def close(self) -> None: ...

        def __await__(self) -> Generator[Any, None, T]: ...
        def abandon(self) -> None: ...

else:
    T = TypeVar("T")

    class Call(ReplayFuture[T]):
        """What ctx.call() and the like return: await it, gather it, or give it to create_task()."""

        __slots__ = ("run",)

        def cancel(self, msg=None):
            if not super().cancel(msg):
                return False
            self.abandon()
            return True


Decode: TypeAlias = Callable[[str | None], Any]


class Remote(Struct, frozen=True):
    """What the tries of one call have in common. Made once per call; nothing in it changes."""

    name: str
    payload: str | None
    decode: Decode
    retry: Retry | None = None
    version: str | None = None
    tags: dict[str, str] = {}
    options: ActivityOptions | None = None
    raises: Sequence[type[BaseException]] = ()


class _Tried(Call[Any]):
    """A Call that may fail and be tried again, each time under a new seq."""

    __slots__ = ("attempt", "first_at", "first_seq", "position", "remote", "seq", "timer")

    origin = TimerOrigin.NONE
    remote: Remote
    seq: int
    position: int
    attempt: int
    first_at: int
    first_seq: int
    timer: Timer | None

    def begin(self, remote: Remote) -> None:
        self.remote = remote
        self.attempt = 0
        self.timer = None
        self.first_at = self.run.now
        self._try()
        self.first_seq = self.seq

    def answer(self, result: str | None) -> None:
        if self.done():
            return
        try:
            value = self.remote.decode(result)
        except Exception as error:  # noqa: BLE001 - of a user's converter: the workflow hears of it where it waits
            self.set_exception(error)
        else:
            self.set_result(value)

    def fail(self, failure: Failure) -> None:
        if self.done():
            return
        names = (failure.kind, *bases_of(failure))
        wait = self._wait_after(failure, names)
        if wait is None:
            self.set_exception(self._error(failure, names))
        else:
            self.timer = self.run.wait_until(
                self.run.now + wait, self._try_again, origin=self.origin, origin_name=self.identity
            )

    def _wait_after(self, failure: Failure, names: Sequence[str]) -> int | None:
        retry, run = self.remote.retry, self.run
        if retry is None or failure.is_non_retryable:
            return None
        return retry.wait_after(
            self.attempt, names=names, elapsed=run.now - self.first_at, chance=run.chance(self.first_seq, self.attempt)
        )

    def _try_again(self) -> None:
        if not self.done():
            self.timer = None
            self._try()

    def _try(self) -> None:
        raise NotImplementedError

    @property
    def identity(self) -> str:
        """The same over all tries."""
        raise NotImplementedError

    def _error(self, failure: Failure, names: Sequence[str]) -> BaseException:
        raise NotImplementedError

    def abandon(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        else:
            self._take_back()

    def _take_back(self) -> None:
        raise NotImplementedError


class ActivityCall(_Tried):
    __slots__ = ()

    origin = TimerOrigin.ACTIVITY_RETRY

    def _try(self) -> None:
        remote, run = self.remote, self.run
        self.attempt += 1
        self.seq = seq = run.next_seq()
        run.activities[seq] = self
        self.position = run.emit(
            ScheduleActivity(
                seq=seq,
                name=remote.name,
                version=remote.version,
                input=remote.payload,
                tags=remote.tags,
                options=remote.options,
                task_execution_id="" if remote.retry is None else self.identity,
            )
        )

    @property
    def identity(self) -> str:
        seq = self.seq if self.attempt <= 1 else self.first_seq
        return f"{self.run.execution_id}:{seq}"

    def _error(self, failure: Failure, names: Sequence[str]) -> BaseException:
        error = ActivityFailed(
            name=self.remote.name, seq=self.seq, failure=failure, bases=tuple(names[1:]), attempts=self.attempt
        )
        return _as_declared(self.remote.raises, error) or error

    def _take_back(self) -> None:
        self.run.cancel_activity(self)


class ChildCall(_Tried):
    __slots__ = ("instance_id",)

    origin = TimerOrigin.CHILD_RETRY
    instance_id: str  # before the first try: as asked for, "" to have one made

    def _try(self) -> None:
        remote, run = self.remote, self.run
        self.attempt += 1
        self.seq = seq = run.next_seq()
        self.instance_id = self.instance_id or run.child_id(seq)
        run.others[seq] = self
        self.position = run.emit(
            StartChild(
                seq=seq,
                instance_id=self.instance_id,
                name=remote.name,
                version=remote.version,
                input=remote.payload,
                tags=remote.tags,
                retry_of="" if self.attempt == 1 else self.instance_id,
            )
        )

    @property
    def identity(self) -> str:
        return self.instance_id

    def _error(self, failure: Failure, names: Sequence[str]) -> BaseException:
        return ChildFailed(
            name=self.remote.name,
            instance_id=self.instance_id,
            seq=self.seq,
            failure=failure,
            bases=tuple(names[1:]),
            attempts=self.attempt,
        )

    def _take_back(self) -> None:
        self.run.cancel_child(self)


class SleepCall(Call[None]):
    __slots__ = ("timer",)

    timer: Timer

    def begin(self, fire_at: int, name: str | None) -> None:
        self.timer = self.run.wait_until(fire_at, self._wake, origin=TimerOrigin.USER, name=name)

    def _wake(self) -> None:
        if not self.done():
            self.set_result(None)

    def abandon(self) -> None:
        self.timer.cancel()


class EventCall(Call[Any]):
    """Waits for the next event of a name. With a bound on the wait it ends in TimeoutError."""

    __slots__ = ("decode", "name", "timer")

    name: str
    decode: Decode
    timer: Timer | None

    def begin(self, name: str, decode: Decode, *, fire_at: int | None) -> None:
        self.name, self.decode, self.timer = name, decode, None
        if not self.run.events.wait(self) and fire_at is not None:
            self.timer = self.run.wait_until(fire_at, self._expire, origin=TimerOrigin.EVENT_TIMEOUT, origin_name=name)

    def receive(self, payload: str | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
        try:
            value = self.decode(payload)
        except Exception as error:  # noqa: BLE001 - of a user's converter: the workflow hears of it where it waits
            self.set_exception(error)
        else:
            self.set_result(value)

    def _expire(self) -> None:
        if not self.done():
            self.run.events.leave(self)
            self.set_exception(TimeoutError(f"no event {self.name!r} arrived in time"))

    def abandon(self) -> None:
        self.run.events.leave(self)
        if self.timer is not None:
            self.timer.cancel()


def _as_declared(raises: Sequence[type[BaseException]], error: RemoteFailure) -> BaseException | None:
    """The error as the type that the activity declares it raises; None when it declares none that fits."""
    for kind in raises:
        if error.is_a(kind):
            try:
                declared = kind(error.message)
            except Exception:  # noqa: BLE001 - a constructor that wants more than a message
                return None
            declared.__cause__ = error
            return declared
    return None
