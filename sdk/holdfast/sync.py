"""The client for code without an event loop: scripts, Django, Flask, notebooks.

    with holdfast.SyncClient() as client:
        receipt = client.run(checkout, order, id="order-7", timeout=30)

The same client as holdfast.Client, on a loop in a thread of its own: calls wait, and may come from any thread. Every
call takes a `timeout` in seconds (TimeoutError; the instance goes on); without one it waits as long as it takes.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError as Cut
from concurrent.futures import TimeoutError as Late
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, Unpack, overload

from msgspec import UNSET

from holdfast._connection import Connection
from holdfast._requests import StartOptions
from holdfast._state import Filter, Instance, Page
from holdfast.authoring import Workflow
from holdfast.client import PAGE, Client, Handle
from holdfast.errors import HoldfastError, SidecarUnavailable
from holdfast_proto.history import HistoryEvent

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")

_CLOSING: Final = 5.0  # seconds for the stream to end


class SyncHandle(Generic[R]):
    """One instance, as holdfast.Handle; `timeout` of a call is in seconds."""

    def __init__(self, client: SyncClient, handle: Handle[R]) -> None:
        self._client = client
        self._handle = handle

    @property
    def id(self) -> str:
        return self._handle.id

    @property
    def execution_id(self) -> str:
        return self._handle.execution_id

    def result(self, *, timeout: float | None = None) -> R:
        """Waits for the end. Raises WorkflowFailed, or WorkflowCanceled when it was terminated."""
        return self._client.call(self._handle.result(), timeout)

    def wait(self, *, timeout: float | None = None) -> Instance:
        """Waits for the end and gives the instance, however it ended."""
        return self._client.call(self._handle.wait(), timeout)

    def started(self, *, timeout: float | None = None) -> Instance:
        """Waits until the first turn has run."""
        return self._client.call(self._handle.started(), timeout)

    def get(self, *, timeout: float | None = None) -> Instance:
        """The instance as it is now. Raises InstanceNotFound."""
        return self._client.call(self._handle.get(), timeout)

    def history(self, *, timeout: float | None = None) -> Sequence[HistoryEvent]:
        """Everything that has happened, as facts."""
        return self._client.call(self._handle.history(), timeout)

    def send(self, event: str, value: Any = None, *, timeout: float | None = None) -> None:
        """Raises an event on the instance; it is kept until the workflow asks for it."""
        self._client.call(self._handle.send(event, value), timeout)

    def pause(self, reason: str | None = None, *, timeout: float | None = None) -> None:
        """It takes no further step until `resume`."""
        self._client.call(self._handle.pause(reason), timeout)

    def resume(self, reason: str | None = None, *, timeout: float | None = None) -> None:
        self._client.call(self._handle.resume(reason), timeout)

    def terminate(self, output: Any = None, *, recurse: bool = True, timeout: float | None = None) -> None:
        """Ends it now, its children too. Its code does not run again; compensations are not run."""
        self._client.call(self._handle.terminate(output, recurse=recurse), timeout)

    def rewind(self, reason: str | None = None, *, timeout: float | None = None) -> None:
        """Takes back what failed in a failed instance and lets it go on."""
        self._client.call(self._handle.rewind(reason), timeout)

    def restart(self, *, keeps_id: bool = False, timeout: float | None = None) -> SyncHandle[R]:
        """The same start once more, under a new id or the same."""
        return SyncHandle(self._client, self._client.call(self._handle.restart(keeps_id=keeps_id), timeout))

    def rerun(self, from_row: int, *, id: str = "", input: Any = UNSET, timeout: float | None = None) -> SyncHandle[R]:
        """A new instance that begins with this one's history up to the activity, timer or child in that row."""
        return SyncHandle(self._client, self._client.call(self._handle.rerun(from_row, id=id, input=input), timeout))

    def purge(self, *, recurse: bool = False, force: bool = False, timeout: float | None = None) -> int:
        """Deletes the ended instance. Gives how many went, its children included."""
        return self._client.call(self._handle.purge(recurse=recurse, force=force), timeout)

    def __repr__(self) -> str:
        return repr(self._handle)


class SyncClient:
    """`address`, `namespace`, `token`: as for holdfast.Client.

    Opens with `with`, or with the first call; then `close` ends it, or the end of the process. One client serves all
    threads. It may be made before a process forks (gunicorn, Celery), as long as it is opened after that.
    """

    def __init__(self, address: str | Connection = "", *, namespace: str = "", token: str = "") -> None:
        self._given = (address, namespace, token)
        self._lock = threading.Lock()  # threads may make the first call at once; a loop has no mailbox for them yet
        self._process = 0
        self._thread: _LoopThread | None = None
        self._client = self._make()
        self._is_closed = False

    def __enter__(self) -> Self:
        self._is_closed = False
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Whoever still waits gets SidecarUnavailable."""
        with self._lock:
            thread, self._thread, self._is_closed = self._thread, None, True
        if thread is not None and self._process == os.getpid():  # another process's thread is not here to be ended
            thread.run(self._client.close(), _CLOSING)
            thread.stop()

    # -- starting --------------------------------------------------------------------------------------------------

    @overload
    def start(
        self, workflow: Workflow[[], R], /, *, timeout: float | None = None, **options: Unpack[StartOptions]
    ) -> SyncHandle[R]: ...
    @overload
    def start(
        self, workflow: Workflow[[A], R], input: A, /, *, timeout: float | None = None, **options: Unpack[StartOptions]
    ) -> SyncHandle[R]: ...
    @overload
    def start(
        self, workflow: str, input: Any = None, /, *, timeout: float | None = None, **options: Unpack[StartOptions]
    ) -> SyncHandle[Any]: ...
    def start(
        self, workflow: Any, /, *input: Any, timeout: float | None = None, **options: Unpack[StartOptions]
    ) -> Any:
        """Starts an instance; when this returns, the start is durable. Options: see StartOptions."""
        handle: Handle[Any] = self.call(self.client.start(workflow, *input, **options), timeout)
        return SyncHandle(self, handle)

    def start_many(
        self,
        workflow: Workflow[[A], R],
        inputs: Iterable[A],
        *,
        timeout: float | None = None,
        **options: Unpack[StartOptions],
    ) -> list[SyncHandle[R]]:
        """One instance per input, in few requests."""
        handles = self.call(self.client.start_many(workflow, inputs, **options), timeout)
        return [SyncHandle(self, handle) for handle in handles]

    @overload
    def run(
        self, workflow: Workflow[[], R], /, *, timeout: float | None = None, **options: Unpack[StartOptions]
    ) -> R: ...
    @overload
    def run(
        self, workflow: Workflow[[A], R], input: A, /, *, timeout: float | None = None, **options: Unpack[StartOptions]
    ) -> R: ...
    @overload
    def run(
        self, workflow: str, input: Any = None, /, *, timeout: float | None = None, **options: Unpack[StartOptions]
    ) -> Any: ...
    def run(self, workflow: Any, /, *input: Any, timeout: float | None = None, **options: Unpack[StartOptions]) -> Any:
        """Starts an instance, or finds the one that has the id already, and waits for its result."""
        return self.call(self.client.run(workflow, *input, **options), timeout)

    @overload
    def handle(self, id: str) -> SyncHandle[Any]: ...
    @overload
    def handle(self, id: str, workflow: Workflow[..., R]) -> SyncHandle[R]: ...
    def handle(self, id: str, workflow: Any = None) -> Any:
        """For an instance that was started elsewhere; the workflow gives the type of its result."""
        return SyncHandle(self, self.client.handle(id, workflow))

    # -- looking and cleaning up -----------------------------------------------------------------------------------

    def get(self, id: str, *, timeout: float | None = None) -> Instance:
        """Raises InstanceNotFound."""
        return self.call(self.client.get(id), timeout)

    def page(
        self,
        wanted: Filter | None = None,
        *,
        limit: int = 100,
        cursor: str = "",
        payloads: bool = False,
        timeout: float | None = None,
    ) -> Page:
        """At most `limit` instances; the next page begins at the cursor of this one."""
        return self.call(self.client.page(wanted, limit=limit, cursor=cursor, payloads=payloads), timeout)

    def purge(self, wanted: Filter, *, recurse: bool = False, timeout: float | None = None) -> int:
        """Deletes every ended instance that the filter means."""
        return self.call(self.client.purge(wanted, recurse=recurse), timeout)

    def list(
        self, wanted: Filter | None = None, *, payloads: bool = False, timeout: float | None = None
    ) -> Iterator[Instance]:
        """All instances that the filter means, page by page; `timeout` is that of one page."""
        cursor = ""
        while True:
            page = self.page(wanted, limit=PAGE, cursor=cursor, payloads=payloads, timeout=timeout)
            yield from page.instances
            cursor = page.cursor
            if not cursor:
                return

    # -- the loop --------------------------------------------------------------------------------------------------

    @property
    def client(self) -> Client:
        """The client underneath. Its coroutines are for `call`."""
        self._open()
        return self._client

    def call(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Runs it on the client's loop and waits."""
        thread = self._thread
        if thread is None:
            coroutine.close()
            raise SidecarUnavailable("this client was closed before the answer came")
        if thread.is_current:
            coroutine.close()
            raise HoldfastError("a call of holdfast.SyncClient waits; in async code use holdfast.Client")
        return thread.run(coroutine, timeout)

    def _open(self) -> None:
        with self._lock:
            if self._is_closed:
                raise SidecarUnavailable("this client is closed; make a new one, or use `with`")
            if self._thread is not None:
                self._check_process()
                return
            self._client = self._make()
            self._thread = thread = _LoopThread()
            self._process = os.getpid()
        thread.run(self._client.__aenter__(), None)

    def _check_process(self) -> None:
        if self._process != os.getpid():
            raise HoldfastError(
                "this client was opened before the process forked, and a connection does not survive that; "
                "open it in the child process, with its first call there"
            )

    def _make(self) -> Client:
        address, namespace, token = self._given
        return Client(address, namespace=namespace, token=token)


class _LoopThread:
    """An event loop in a thread. A daemon, so that a client that nobody closes does not keep the process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="holdfast-client", daemon=True)
        self._thread.start()

    @property
    def is_current(self) -> bool:
        return threading.current_thread() is self._thread

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None) -> T:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout)
        except Late:
            if future.done():  # the error is the call's own
                raise
            future.cancel()
            raise TimeoutError(f"no answer within {timeout:g} s; the instance is not touched by that") from None
        except Cut:
            raise SidecarUnavailable("this client was closed before the answer came") from None
        except BaseException:  # Ctrl-C: stop waiting, here and there
            future.cancel()
            raise

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSING)
        if not self._thread.is_alive():
            self._loop.close()
