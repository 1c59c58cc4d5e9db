"""Workers that die, come back, answer twice or with words of the past."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from durabletask import task
from durabletask.client import TaskHubGrpcClient
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.worker import ConcurrencyOptions, TaskHubGrpcWorker

from tests.support.clients.inside import eventually
from tests.support.clients.sidecar import SidecarProcess
from tests.support.procs import Child

HERE = Path(__file__).parent


def crosses(_: task.ActivityContext, value):
    return value


def calls(ctx: task.OrchestrationContext, value):
    return (yield ctx.call_activity(crosses, input=value))


def thinks(_: task.OrchestrationContext, value):
    return value


def chain(ctx: task.OrchestrationContext, steps: int):
    total = 0
    for step in range(steps):
        total += yield ctx.call_activity(crosses, input=step)
    return total


class Repeats(grpc.UnaryUnaryClientInterceptor):
    """Sends some calls of a worker more than once, changed if need be."""

    def __init__(self, method: str, change: Callable[[object], object], *, first: bool):
        self._method, self._change, self._first = method, change, first
        self.codes: list[grpc.StatusCode] = []

    def intercept_unary_unary(self, continuation, client_call_details, request):
        if not client_call_details.method.endswith(self._method):
            return continuation(client_call_details, request)
        if self._first:
            self._send(continuation, client_call_details, request)
            return continuation(client_call_details, request)
        answer = continuation(client_call_details, request)
        answer.result()
        self._send(continuation, client_call_details, request)
        return answer

    def _send(self, continuation, details, request):
        copy = type(request)()
        copy.CopyFrom(request)
        self.codes.append(continuation(details, self._change(copy)).code())


def same(request):
    return request


def with_another_result(request):
    request.result.value = '"another"'
    return request


def with_a_made_up_token(request):
    request.completionToken = "made-up"
    return with_another_result(request) if isinstance(request, pb.ActivityResponse) else request


def without_actions(request):
    del request.actions[:]
    return request


@pytest.fixture
def doomed(sidecar, tmp_path):
    """A worker process that is killed at the latest when the test ends."""
    child = Child([sys.executable, HERE / "dying_worker.py", sidecar.grpc], log=tmp_path / "worker.log", name="worker")
    with child:
        child.wait_line("started")
        sidecar.await_workers(1)
        yield child
    sidecar.await_workers(0)


def test_an_activity_of_a_killed_worker_goes_to_another(sidecar, doomed, client, serve, finished):
    instance_id = client.schedule_new_orchestration(calls, input="once more")
    doomed.wait_line("activity once more")
    doomed.kill()
    sidecar.await_workers(0)
    serve([calls], [crosses])
    assert finished(instance_id).get_output() == "once more"


def test_a_turn_of_a_killed_worker_goes_to_another(sidecar, doomed, client, serve, finished):
    instance_id = client.schedule_new_orchestration(thinks, input="think again")
    doomed.wait_line("turn think again")
    doomed.kill()
    sidecar.await_workers(0)
    serve([thinks])
    assert finished(instance_id).get_output() == "think again"


def test_an_activity_stays_with_its_worker_while_that_one_lives(sidecar, doomed, client, serve, finished):
    instance_id = client.schedule_new_orchestration(calls, input="mine")
    doomed.wait_line("activity mine")
    serve([calls], [crosses])
    with pytest.raises(TimeoutError):
        client.wait_for_orchestration_completion(instance_id, timeout=1)
    doomed.kill()
    assert finished(instance_id).get_output() == "mine"


@pytest.mark.parametrize(
    ("method", "change", "first"),
    [
        ("CompleteActivityTask", same, False),
        ("CompleteActivityTask", with_another_result, False),
        ("CompleteActivityTask", with_a_made_up_token, True),
        ("CompleteOrchestratorTask", same, False),
        ("CompleteOrchestratorTask", without_actions, False),
        ("CompleteOrchestratorTask", with_a_made_up_token, True),
    ],
)
def test_an_answer_that_nobody_waits_for_changes_nothing(client, serve, finished, method, change, first):
    repeats = Repeats(method, change, first=first)
    serve([chain], [crosses], interceptors=[repeats])
    assert finished(client.schedule_new_orchestration(chain, input=5)).get_output() == 10
    assert set(repeats.codes) == {grpc.StatusCode.OK}


def test_two_workers_share_what_there_is(client, serve, finished):
    seen: dict[str, int] = {"one": 0, "two": 0}
    both = threading.Barrier(2)

    def worker_of(name: str):
        def meets(_: task.ActivityContext, value):
            seen[name] += 1
            both.wait(20)
            return value

        return meets

    def pair(ctx: task.OrchestrationContext, _):
        return (yield task.when_all([ctx.call_activity("meets", input=n) for n in range(2)]))

    one_at_a_time = ConcurrencyOptions(maximum_concurrent_activity_work_items=1)
    for name in seen:
        serve([pair], [worker_of(name)], concurrency_options=one_at_a_time)
    assert finished(client.schedule_new_orchestration(pair)).get_output() == [0, 1]
    assert seen == {"one": 1, "two": 1}


def test_a_worker_gets_no_more_than_it_asked_for(client, serve, finished, sidecar):
    running, most, lock = 0, 0, threading.Lock()

    def counts(_: task.ActivityContext, value):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        return value

    def wide(ctx: task.OrchestrationContext, width: int):
        return (yield task.when_all([ctx.call_activity(counts, input=n) for n in range(width)]))

    received = Received()
    limits = ConcurrencyOptions(maximum_concurrent_activity_work_items=3, maximum_thread_pool_workers=16)
    serve([wide], [counts], concurrency_options=limits, interceptors=[received])
    assert finished(client.schedule_new_orchestration(wide, input=30)).get_output() == list(range(30))
    assert most <= 3
    assert received.most <= 3


class Received(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Counts the activities that were sent to a worker and are not answered."""

    def __init__(self) -> None:
        self.outstanding, self.most, self._lock = 0, 0, threading.Lock()

    def intercept_unary_stream(self, continuation, client_call_details, request):
        return Watched(continuation(client_call_details, request), self)

    def intercept_unary_unary(self, continuation, client_call_details, request):
        if client_call_details.method.endswith("CompleteActivityTask"):
            self.add(-1)
        return continuation(client_call_details, request)

    def add(self, number: int) -> None:
        with self._lock:
            self.outstanding += number
            self.most = max(self.most, self.outstanding)


class Watched:
    def __init__(self, stream, received: Received):
        self._stream, self._received = stream, received

    def __iter__(self):
        return self

    def __next__(self):
        item = next(self._stream)
        if item.HasField("activityRequest"):
            self._received.add(1)
        return item

    def __getattr__(self, name):
        return getattr(self._stream, name)


def test_workers_come_and_go_while_a_chain_runs(client, serve, finished, sidecar):
    instance_id = client.schedule_new_orchestration(chain, input=60)
    for _ in range(4):
        before = sidecar.workers()
        worker = TaskHubGrpcWorker(host_address=sidecar.grpc)
        worker.add_orchestrator(chain)
        worker.add_activity(crosses)
        worker.start()
        sidecar.await_workers(before + 1)
        worker.stop()
        sidecar.await_workers(before)
    serve([chain], [crosses])
    assert finished(instance_id).get_output() == sum(range(60))


def test_nothing_is_lost_when_the_sidecar_is_killed_and_comes_back():
    """Client and worker reconnect by themselves; started instances, events and timers go on."""

    def waits(ctx: task.OrchestrationContext, steps: int):
        total = yield ctx.wait_for_external_event("go")
        for step in range(steps):
            total += yield ctx.call_activity(crosses, input=step)
        return total

    with (
        SidecarProcess() as sidecar,
        TaskHubGrpcClient(host_address=sidecar.grpc) as client,
        TaskHubGrpcWorker(host_address=sidecar.grpc) as worker,
    ):
        worker.add_orchestrator(waits)
        worker.add_activity(crosses)
        worker.start()
        ids = [client.schedule_new_orchestration(waits, input=30) for _ in range(20)]
        for instance_id in ids:
            client.raise_orchestration_event(instance_id, "go", data=1000)
        sidecar.kill()
        sidecar.start()
        eventually(lambda: responds(client), "an answer from the sidecar", timeout=60)
        for instance_id in ids:
            state = client.wait_for_orchestration_completion(instance_id, timeout=60)
            assert state.serialized_output == str(1000 + sum(range(30)))


def responds(client) -> bool:
    try:
        client.get_orchestration_state("whatever")
    except grpc.RpcError:
        return False
    return True
