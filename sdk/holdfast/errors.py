"""What can go wrong, by name. Everything here derives from HoldfastError; the text says what to do about it."""

from __future__ import annotations

from typing import Any

from holdfast_proto.history import Failure
from holdfast_proto.v1 import client_pb2 as pb


class HoldfastError(Exception):
    """Base of all errors of this package."""


class DefinitionError(HoldfastError):
    """A workflow or an activity is declared in a way that cannot work. Raised where it is declared or registered."""


class UndeclaredError(HoldfastError):
    """Something was called that is not declared as an activity or a workflow."""


class PayloadError(HoldfastError):
    """A value does not fit its declared type, or cannot be written as JSON. `path` names the place: `$.amount`."""

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(message)
        self.path = path


class PayloadTooLarge(PayloadError):
    """A payload is above the limit of the sidecar."""


class NotAllowedInWorkflow(HoldfastError):
    """Workflow code did what cannot be replayed: real I/O, threads, futures of another loop."""


class NonDeterminism(HoldfastError):
    """The code does not do what the history says it did. The instance stands still until fitting code arrives.

    `event` is the row of the history, `recorded` what it holds, `done` what the code did, `where` file and line of the
    workflow code that did it ("" when it did nothing).
    """

    def __init__(self, *, instance_id: str, event: int, recorded: str, done: str, where: str) -> None:
        place = f" at {where}" if where else ""
        super().__init__(
            f"instance {instance_id!r}, event {event}: the history holds {recorded}, the code {done}{place}; "
            "run the code that made this history, or guard the change with ctx.patched()"
        )
        self.instance_id = instance_id
        self.event = event
        self.recorded = recorded
        self.done = done
        self.where = where


class VersionNotAvailable(HoldfastError):
    """This worker has the workflow, but not the version that the instance runs."""


class HistoryMismatch(HoldfastError):
    """The facts given to a cached run do not follow on those it has; it must be replayed from the whole history."""


class RemoteFailure(HoldfastError):
    """Something that the workflow waited for has failed. Carries what is known of the remote error.

    `kind` is the name of the remote exception's type, `bases` the names of its base classes as far as they travelled.
    """

    def __init__(self, message: str, failure: Failure, *, bases: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.failure = failure
        self.bases = bases

    @property
    def kind(self) -> str:
        return self.failure.kind

    @property
    def message(self) -> str:
        return self.failure.message

    @property
    def stack(self) -> str | None:
        return self.failure.stack

    @property
    def cause(self) -> Failure | None:
        return self.failure.cause

    def is_a(self, kind: type[BaseException] | str) -> bool:
        """Whether the remote error is of this type or of a subclass of it; types are compared by name."""
        name = kind if isinstance(kind, str) else kind.__name__
        return name == self.failure.kind or name in self.bases


class ActivityFailed(RemoteFailure):
    """An activity failed for good: its error cannot be retried, or its retries are used up."""

    def __init__(
        self, *, name: str, seq: int, failure: Failure, bases: tuple[str, ...] = (), attempts: int = 1
    ) -> None:
        tries = "" if attempts == 1 else f" after {attempts} attempts"
        super().__init__(
            f"activity {name!r} (event {seq}) failed{tries}: {failure.kind}: {failure.message}", failure, bases=bases
        )
        self.name = name
        self.seq = seq
        self.attempts = attempts


class ChildFailed(RemoteFailure):
    """A child workflow ended without a result: it failed, was terminated or was cancelled."""

    def __init__(
        self, *, name: str, instance_id: str, seq: int, failure: Failure, bases: tuple[str, ...] = (), attempts: int = 1
    ) -> None:
        tries = "" if attempts == 1 else f" after {attempts} attempts"
        super().__init__(
            f"child {name!r} ({instance_id!r}, event {seq}) failed{tries}: {failure.kind}: {failure.message}",
            failure,
            bases=bases,
        )
        self.name = name
        self.instance_id = instance_id
        self.seq = seq
        self.attempts = attempts


class NonRetryable(HoldfastError):
    """Raise it (or a subclass) in an activity to say that trying again cannot help."""


class ContinueAsNew(BaseException):
    """Ends the run and starts the next generation. Raised by ctx.continue_as_new(); never catch it.

    Not an Exception, so that `except Exception` in workflow code lets it pass.
    """

    def __init__(
        self, *, input: str | None, carries_events: bool, version: str | None, tags: dict[str, str] | None
    ) -> None:
        super().__init__("the workflow continues as new")
        self.input = input
        self.carries_events = carries_events
        self.version = version
        self.tags = tags


class Evicted(BaseException):
    """The run is gone from the worker's cache; whatever its code still tries to do leads nowhere. Never catch it."""

    def __init__(self, *_: Any) -> None:
        super().__init__("this run of the workflow was given up by the worker; it goes on from its history")


class CompensationFailed(HoldfastError):
    """Compensations of a saga failed for good; what made them necessary is this error's context."""

    def __init__(self, errors: list[Exception]) -> None:
        super().__init__(f"{len(errors)} compensation(s) failed: " + "; ".join(map(str, errors)))
        self.errors = errors


class ActivityCanceled(HoldfastError):
    """Raised in a running activity that was asked to stop, when it reports a heartbeat."""


class SidecarError(HoldfastError):
    """Base of what the sidecar refuses a call for. `code` is stable and documented."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code or type(self).__name__


class CallRefused(SidecarError):
    """The request is wrong in itself, not allowed, or not known to this sidecar."""


class InstanceNotFound(SidecarError):
    """There is no instance of that id."""


class InstanceExists(SidecarError):
    """The id belongs to an instance that may not be replaced."""


class WrongState(SidecarError):
    """The right request at the wrong moment, such as purging an instance that runs."""


class LimitReached(SidecarError):
    """The sidecar has too much to do, or a limit of the instance is reached. Later, or less."""


class SidecarUnavailable(SidecarError):
    """The sidecar or its store could not answer; whether the request took effect is not known."""


class WorkerRefused(SidecarError):
    """The sidecar will not serve this worker: another namespace, a missing token, another protocol."""


class WorkflowFailed(RemoteFailure):
    """The workflow whose result was waited for has failed."""

    def __init__(self, instance_id: str, name: str, failure: Failure | None) -> None:
        known = failure or Failure(kind="Failed", message="it gave no reason")
        super().__init__(f"workflow {name!r} ({instance_id!r}) failed: {known.kind}: {known.message}", known)
        self.instance_id = instance_id
        self.name = name


class WorkflowCanceled(HoldfastError):
    """The workflow whose result was waited for was terminated or cancelled."""


_REFUSALS: dict[int, type[SidecarError]] = {
    pb.Error.NOT_FOUND: InstanceNotFound,
    pb.Error.EXISTS: InstanceExists,
    pb.Error.WRONG_STATE: WrongState,
    pb.Error.EXHAUSTED: LimitReached,
    pb.Error.UNAVAILABLE: SidecarUnavailable,
}


def refusal_of(error: pb.Error) -> SidecarError:
    """The exception for an error of the sidecar's."""
    return _REFUSALS.get(error.kind, CallRefused)(error.text, code=error.code)
