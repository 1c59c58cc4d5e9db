"""Runs inside an environment that holds nothing but the unmodified client; the sidecar's address comes from outside.

Two clients have these names, `durabletask` and `durabletask-dapr`: what lies here holds for both.
"""

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, TypeAlias

import pytest
from durabletask.client import OrchestrationState, OrchestrationStatus, TaskHubGrpcClient
from durabletask.worker import TaskHubGrpcWorker

from tests.support.clients.inside import Sidecar

Serve: TypeAlias = Callable[..., TaskHubGrpcWorker]
Finished: TypeAlias = Callable[..., "Ended"]


class Ended:
    """The state of an instance, with its payloads decoded, which only one of the clients does itself."""

    def __init__(self, state: OrchestrationState) -> None:
        self._state = state

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    def get_input(self) -> Any:
        return json.loads(self._state.serialized_input or "null")

    def get_output(self) -> Any:
        return json.loads(self._state.serialized_output or "null")

    def get_custom_status(self) -> Any:
        return json.loads(self._state.serialized_custom_status or "null")


@pytest.fixture(scope="session")
def sidecar() -> Sidecar:
    return Sidecar.from_environment(os.environ)


@pytest.fixture(scope="session")
def client(sidecar: Sidecar) -> Iterator[TaskHubGrpcClient]:
    with TaskHubGrpcClient(host_address=sidecar.grpc) as client:
        yield client


@pytest.fixture(scope="session")
def stopping() -> Iterator[ExitStack]:
    """A worker hangs up at once when it is stopped, but ends only a second later: no test waits for that."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def serve(sidecar: Sidecar, stopping: ExitStack) -> Iterator[Serve]:
    """Starts workers with the given functions; each is connected on return, and hung up when the test ends."""
    workers: list[TaskHubGrpcWorker] = []
    counts: list[int] = []

    def start(
        workflows: Sequence[Callable[..., Any]] = (),
        activities: Sequence[Callable[..., Any]] = (),
        prepare: Callable[[TaskHubGrpcWorker], None] = lambda _: None,
        **options: Any,
    ) -> TaskHubGrpcWorker:
        counts.append(sidecar.workers())
        worker = TaskHubGrpcWorker(host_address=sidecar.grpc, **options)
        for workflow in workflows:
            worker.add_orchestrator(workflow)
        for activity in activities:
            worker.add_activity(activity)
        prepare(worker)
        worker.start()
        workers.append(worker)
        sidecar.await_workers(counts[-1] + 1)
        return worker

    yield start
    for worker in workers:
        hang_up(worker, stopping)
    if counts:
        sidecar.await_workers_at_most(counts[0])


@pytest.fixture
def leave(sidecar: Sidecar, stopping: ExitStack) -> Callable[[TaskHubGrpcWorker], None]:
    """Stops one worker in the middle of a test; it has hung up on return."""

    def stop(worker: TaskHubGrpcWorker) -> None:
        before = sidecar.workers()
        hang_up(worker, stopping)
        sidecar.await_workers_at_most(before - 1)

    return stop


@pytest.fixture
def new_id() -> Callable[[], str]:
    return lambda: uuid.uuid4().hex


@pytest.fixture
def finished(client: TaskHubGrpcClient) -> Finished:
    """Waits for the end of an instance; the state, and a clear failure when it is not as expected."""

    def wait(
        instance_id: str, expected: OrchestrationStatus = OrchestrationStatus.COMPLETED, timeout: float = 30
    ) -> Ended:
        state = client.wait_for_orchestration_completion(instance_id, timeout=timeout)
        assert state is not None, f"{instance_id}: not known"
        assert state.runtime_status is expected, f"{instance_id}: {state}"
        return Ended(state)

    return wait


def hang_up(worker: TaskHubGrpcWorker, stopping: ExitStack) -> None:
    thread = threading.Thread(target=worker.stop)
    thread.start()
    stopping.callback(thread.join)
