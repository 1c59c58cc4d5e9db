import asyncio
import json
import threading
from datetime import timedelta

from dapr.ext.workflow import (
    DaprWorkflowContext,
    RetryPolicy,
    TaskFailedError,
    WorkflowActivityContext,
    WorkflowStatus,
    when_all,
    when_any,
)


def plus_one(_: WorkflowActivityContext, number: int) -> int:
    return number + 1


def echo(_: WorkflowActivityContext, value):
    return value


def soon(attempts: int, **more) -> RetryPolicy:
    return RetryPolicy(first_retry_interval=timedelta(milliseconds=20), max_number_of_attempts=attempts, **more)


def output_of(state):
    return json.loads(state.serialized_output)


def test_a_chain_passes_each_result_on(client, serve, finished):
    def chain(ctx: DaprWorkflowContext, start: int):
        numbers = [start]
        for _ in range(10):
            numbers.append((yield ctx.call_activity(plus_one, input=numbers[-1])))
        return numbers

    serve([chain], [plus_one])
    assert output_of(finished(client.schedule_new_workflow(chain, input=1))) == list(range(1, 12))


def test_a_fan_out_brings_results_in_the_order_of_the_calls(client, serve, finished):
    def fan_out(ctx: DaprWorkflowContext, width: int):
        return (yield when_all([ctx.call_activity(plus_one, input=number) for number in range(width)]))

    serve([fan_out], [plus_one])
    assert output_of(finished(client.schedule_new_workflow(fan_out, input=200))) == list(range(1, 201))


def test_async_activities_run_as_well(client, serve, finished):
    async def slow(_: WorkflowActivityContext, number: int) -> int:
        await asyncio.sleep(0.05)
        return number * 2

    def fan_out(ctx: DaprWorkflowContext, width: int):
        return (yield when_all([ctx.call_activity(slow, input=number) for number in range(width)]))

    serve([fan_out], [slow])
    assert output_of(finished(client.schedule_new_workflow(fan_out, input=50))) == [n * 2 for n in range(50)]


def test_the_first_of_several_wins_and_the_rest_does_no_harm(client, serve, finished):
    gate = threading.Event()

    def slow(_: WorkflowActivityContext, __):
        gate.wait(20)
        return "slow"

    def race(ctx: DaprWorkflowContext, _):
        quick, late = ctx.call_activity(plus_one, input=1), ctx.call_activity(slow)
        winner = yield when_any([late, quick])
        return "quick" if winner is quick else "slow"

    serve([race], [plus_one, slow])
    instance_id = client.schedule_new_workflow(race)
    assert output_of(finished(instance_id)) == "quick"
    gate.set()
    assert output_of(finished(instance_id)) == "quick"


def test_a_failure_brings_type_message_and_stack(client, serve, finished):
    def fails(_: WorkflowActivityContext, __):
        raise ValueError("the failure")

    def catches(ctx: DaprWorkflowContext, _):
        try:
            yield ctx.call_activity(fails)
        except TaskFailedError as error:
            return [error.details.error_type, error.details.message, "fails" in (error.details.stack_trace or "")]

    serve([catches], [fails])
    kind, message, has_stack = output_of(finished(client.schedule_new_workflow(catches)))
    assert kind == "ValueError"
    assert "the failure" in message
    assert has_stack


def test_a_failure_that_nobody_catches_fails_the_workflow(client, serve, finished):
    def fails(_: WorkflowActivityContext, __):
        raise RuntimeError("nobody catches me")

    def lets_go(ctx: DaprWorkflowContext, _):
        yield ctx.call_activity(fails)

    serve([lets_go], [fails])
    state = finished(client.schedule_new_workflow(lets_go), WorkflowStatus.FAILED)
    assert "nobody catches me" in state.failure_details.message


def test_a_retried_activity_succeeds_in_the_end(client, serve, finished):
    calls = []

    def flaky(_: WorkflowActivityContext, __):
        calls.append(1)
        if len(calls) < 4:
            raise RuntimeError(f"attempt {len(calls)}")
        return len(calls)

    def patient(ctx: DaprWorkflowContext, _):
        return (yield ctx.call_activity(flaky, retry_policy=soon(5, backoff_coefficient=1.5)))

    serve([patient], [flaky])
    assert output_of(finished(client.schedule_new_workflow(patient))) == 4
    assert len(calls) == 4


def test_attempts_of_one_call_share_an_execution_id(client, serve, finished):
    seen = []

    def flaky(ctx: WorkflowActivityContext, __):
        seen.append((ctx.get_inner_context().task_execution_id, ctx.task_id))
        if len(seen) < 3:
            raise RuntimeError("not yet")

    def patient(ctx: DaprWorkflowContext, _):
        yield ctx.call_activity(flaky, retry_policy=soon(5))

    serve([patient], [flaky])
    finished(client.schedule_new_workflow(patient))
    execution_ids, task_ids = {execution_id for execution_id, _ in seen}, {task_id for _, task_id in seen}
    assert len(execution_ids) == 1
    assert execution_ids != {""}
    assert len(task_ids) == 3


def test_retries_end_with_the_policy(client, serve, finished):
    calls = []

    def hopeless(_: WorkflowActivityContext, __):
        calls.append(1)
        raise RuntimeError("again and again")

    def patient(ctx: DaprWorkflowContext, _):
        yield ctx.call_activity(hopeless, retry_policy=soon(3))

    serve([patient], [hopeless])
    state = finished(client.schedule_new_workflow(patient), WorkflowStatus.FAILED)
    assert "again and again" in state.failure_details.message
    assert len(calls) == 3


def test_large_payloads_pass_in_every_direction(client, serve, finished):
    def carries(ctx: DaprWorkflowContext, text: str):
        return (yield ctx.call_activity(echo, input=text[: len(text) // 2]))

    serve([carries], [echo])
    text = "0123456789" * 60_000
    assert output_of(finished(client.schedule_new_workflow(carries, input=text))) == text[:300_000]


def test_empty_results_and_nothing_are_told_apart_from_failures(client, serve, finished):
    def collects(ctx: DaprWorkflowContext, _):
        results = []
        for value in (None, "", 0, [], {}):
            results.append((yield ctx.call_activity(echo, input=value)))
        return results

    serve([collects], [echo])
    assert output_of(finished(client.schedule_new_workflow(collects))) == [None, "", 0, [], {}]


def test_an_activity_that_no_worker_knows_fails_the_call(client, serve, finished):
    def calls_nobody(ctx: DaprWorkflowContext, _):
        try:
            yield ctx.call_activity("nobody_knows_me")
        except TaskFailedError as error:
            return error.details.message

    serve([calls_nobody])
    assert "nobody_knows_me" in output_of(finished(client.schedule_new_workflow(calls_nobody)))
