"""Workers that die, come back, answer twice or with words of the past, and what they keep of a history."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from dapr.ext.workflow import (
    DaprWorkflowClient,
    DaprWorkflowContext,
    WorkflowActivityContext,
    WorkflowRuntime,
    when_all,
)

from tests.support.clients.inside import eventually
from tests.support.clients.sidecar import SidecarProcess
from tests.support.procs import Child

HERE = Path(__file__).parent


def crosses(_: WorkflowActivityContext, value):
    return value


def calls(ctx: DaprWorkflowContext, value):
    return (yield ctx.call_activity(crosses, input=value))


def thinks(_: DaprWorkflowContext, value):
    return value


def chain(ctx: DaprWorkflowContext, steps: int):
    total = 0
    for step in range(steps):
        total += yield ctx.call_activity(crosses, input=step)
    return total


def output_of(state):
    return json.loads(state.serialized_output)


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
    return request


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
    instance_id = client.schedule_new_workflow("calls", input="once more")
    doomed.wait_line("activity once more")
    doomed.kill()
    sidecar.await_workers(0)
    serve([calls], [crosses])
    assert output_of(finished(instance_id)) == "once more"


def test_a_turn_of_a_killed_worker_goes_to_another(sidecar, doomed, client, serve, finished):
    instance_id = client.schedule_new_workflow("thinks", input="think again")
    doomed.wait_line("turn think again")
    doomed.kill()
    sidecar.await_workers(0)
    serve([thinks])
    assert output_of(finished(instance_id)) == "think again"


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
    assert output_of(finished(client.schedule_new_workflow(chain, input=5))) == 10
    assert set(repeats.codes) == {grpc.StatusCode.OK}


class Received(grpc.UnaryStreamClientInterceptor):
    """Keeps what was sent to a worker of each turn: how many events it should hold, how many came."""

    def __init__(self) -> None:
        self.turns: list[tuple[int, int]] = []

    def intercept_unary_stream(self, continuation, client_call_details, request):
        return Watched(continuation(client_call_details, request), self.turns)


class Watched:
    def __init__(self, stream, turns):
        self._stream, self._turns = stream, turns

    def __iter__(self):
        return self

    def __next__(self):
        item = next(self._stream)
        if item.HasField("workflowRequest"):
            turn = item.workflowRequest
            self._turns.append((turn.cachedHistory.eventCount, len(turn.pastEvents)))
        return item

    def __getattr__(self, name):
        return getattr(self._stream, name)


def test_a_worker_that_keeps_histories_gets_only_what_is_new(client, serve, finished):
    received = Received()
    serve([chain], [crosses], interceptors=[received])
    assert output_of(finished(client.schedule_new_workflow(chain, input=8))) == sum(range(8))
    held = [(cached, sent) for cached, sent in received.turns if cached]
    assert len(held) >= 6
    assert all(sent <= 6 for _, sent in held)


def test_a_worker_that_keeps_none_gets_everything(client, serve, finished):
    received = Received()
    serve([chain], [crosses], interceptors=[received], disable_stateful_history=True)
    assert output_of(finished(client.schedule_new_workflow(chain, input=8))) == sum(range(8))
    assert all(cached == 0 for cached, _ in received.turns)
    assert received.turns[-1][1] > 16


def test_a_worker_that_lost_what_it_kept_asks_for_the_whole(client, serve, finished):
    def wide(ctx: DaprWorkflowContext, steps: int):
        total = 0
        for step in range(steps):
            total += yield ctx.call_activity(crosses, input=step)
        return total

    serve([wide], [crosses], history_cache_max_instances=1)
    ids = [client.schedule_new_workflow(wide, input=12) for _ in range(10)]
    assert [output_of(finished(instance_id)) for instance_id in ids] == [sum(range(12))] * 10


def test_two_workers_that_keep_histories_take_turns_without_harm(client, serve, finished, leave):
    first = serve([chain], [crosses])
    serve([chain], [crosses])
    ids = [client.schedule_new_workflow(chain, input=20) for _ in range(10)]
    finished(ids[0])
    leave(first)
    assert [output_of(finished(instance_id)) for instance_id in ids] == [sum(range(20))] * 10


def test_two_workers_share_what_there_is(client, serve, finished):
    seen: dict[str, int] = {"one": 0, "two": 0}
    both = threading.Barrier(2)

    def worker_of(name: str):
        def meets(_: WorkflowActivityContext, value):
            seen[name] += 1
            both.wait(20)
            return value

        return meets

    def pair(ctx: DaprWorkflowContext, _):
        return (yield when_all([ctx.call_activity("meets", input=n) for n in range(2)]))

    for name in seen:
        serve([pair], [worker_of(name)])
    assert output_of(finished(client.schedule_new_workflow(pair))) == [0, 1]
    assert seen == {"one": 1, "two": 1}


def test_nothing_is_lost_when_the_sidecar_is_killed_and_comes_back():
    """Client and worker reconnect by themselves; started instances, events and timers go on."""

    def waits(ctx: DaprWorkflowContext, steps: int):
        total = yield ctx.wait_for_external_event("go")
        for step in range(steps):
            total += yield ctx.call_activity(crosses, input=step)
        return total

    with SidecarProcess() as sidecar:
        host, port = sidecar.grpc.split(":")
        client, runtime = DaprWorkflowClient(host=host, port=port), WorkflowRuntime(host=host, port=port)
        runtime.register_workflow(waits)
        runtime.register_activity(crosses)
        runtime.start()
        try:
            ids = [client.schedule_new_workflow(waits, input=30) for _ in range(20)]
            for instance_id in ids:
                client.raise_workflow_event(instance_id, "go", data=1000)
            sidecar.kill()
            sidecar.start()
            eventually(lambda: responds(client), "an answer from the sidecar", timeout=60)
            for instance_id in ids:
                state = client.wait_for_workflow_completion(instance_id, timeout_in_seconds=60)
                assert output_of(state) == 1000 + sum(range(30))
        finally:
            runtime.shutdown()
            client.close()


def responds(client) -> bool:
    try:
        client.get_workflow_state("whatever")
    except grpc.RpcError:
        return False
    return True
