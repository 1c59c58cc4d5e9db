"""Runs inside an environment that holds nothing but the unmodified client; the sidecar's address comes from outside."""

import logging
import os
import threading
import types
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, TypeAlias

import pytest
from dapr.ext.workflow import DaprWorkflowClient, WorkflowRuntime, WorkflowState, WorkflowStatus
from dapr.ext.workflow.logger import LoggerOptions

from tests.support.clients.inside import Sidecar

Serve: TypeAlias = Callable[..., WorkflowRuntime]
Finished: TypeAlias = Callable[..., WorkflowState]


@pytest.fixture(scope="session")
def sidecar() -> Sidecar:
    return Sidecar.from_environment(os.environ)


@pytest.fixture(scope="session")
def client(sidecar: Sidecar) -> Iterator[DaprWorkflowClient]:
    client = DaprWorkflowClient(host=sidecar.host, port=sidecar.port)
    yield client
    client.close()


@pytest.fixture(scope="session")
def stopping() -> Iterator[ExitStack]:
    """A worker hangs up at once when it is stopped, but ends later: no test waits for that."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def serve(sidecar: Sidecar, stopping: ExitStack) -> Iterator[Serve]:
    """Starts workers with the given functions; each is connected on return, and hung up when the test ends."""
    workers: list[WorkflowRuntime] = []
    counts: list[int] = []

    def start(
        workflows: Sequence[Callable[..., Any]] = (),
        activities: Sequence[Callable[..., Any]] = (),
        prepare: Callable[[WorkflowRuntime], None] = lambda _: None,
        **options: Any,
    ) -> WorkflowRuntime:
        counts.append(sidecar.workers())
        quiet = LoggerOptions(log_level=logging.ERROR)
        runtime = WorkflowRuntime(host=sidecar.host, port=sidecar.port, logger_options=quiet, **options)
        for workflow in workflows:
            runtime.register_workflow(fresh(workflow))
        for activity in activities:
            runtime.register_activity(fresh(activity))
        prepare(runtime)
        runtime.start()
        workers.append(runtime)
        sidecar.await_workers(counts[-1] + 1)
        return runtime

    yield start
    for runtime in workers:
        hang_up(runtime, stopping)
    if counts:
        sidecar.await_workers_at_most(counts[0])


@pytest.fixture
def leave(sidecar: Sidecar, stopping: ExitStack) -> Callable[[WorkflowRuntime], None]:
    """Stops one worker in the middle of a test; it has hung up on return."""

    def stop(runtime: WorkflowRuntime) -> None:
        before = sidecar.workers()
        hang_up(runtime, stopping)
        sidecar.await_workers_at_most(before - 1)

    return stop


@pytest.fixture
def new_id() -> Callable[[], str]:
    return lambda: uuid.uuid4().hex


@pytest.fixture
def finished(client: DaprWorkflowClient) -> Finished:
    """Waits for the end of an instance; the state, and a clear failure when it is not as expected."""

    def wait(instance_id: str, expected: WorkflowStatus = WorkflowStatus.COMPLETED) -> WorkflowState:
        state = client.wait_for_workflow_completion(instance_id, timeout_in_seconds=30)
        assert state is not None, f"{instance_id}: not known"
        assert state.runtime_status is expected, f"{instance_id}: {state}"
        return state

    return wait


def fresh(function: Callable[..., Any]) -> Callable[..., Any]:
    """A copy: the client refuses to register one function twice in a process."""
    copy = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__annotations__ = function.__annotations__
    return copy


def hang_up(runtime: WorkflowRuntime, stopping: ExitStack) -> None:
    thread = threading.Thread(target=runtime.shutdown)
    thread.start()
    stopping.callback(thread.join)
