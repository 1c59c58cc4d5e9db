import threading
from datetime import timedelta

from durabletask import task
from durabletask.client import OrchestrationStatus


def plus_one(_: task.ActivityContext, number: int) -> int:
    return number + 1


def echo(_: task.ActivityContext, value):
    return value


def soon(attempts: int, **more) -> task.RetryPolicy:
    return task.RetryPolicy(first_retry_interval=timedelta(milliseconds=20), max_number_of_attempts=attempts, **more)


def test_a_chain_passes_each_result_on(client, serve, finished):
    def chain(ctx: task.OrchestrationContext, start: int):
        numbers = [start]
        for _ in range(10):
            numbers.append((yield ctx.call_activity(plus_one, input=numbers[-1])))
        return numbers

    serve([chain], [plus_one])
    assert finished(client.schedule_new_orchestration(chain, input=1)).get_output() == list(range(1, 12))


def test_a_fan_out_brings_results_in_the_order_of_the_calls(client, serve, finished):
    def fan_out(ctx: task.OrchestrationContext, width: int):
        return (yield task.when_all([ctx.call_activity(plus_one, input=number) for number in range(width)]))

    serve([fan_out], [plus_one])
    assert finished(client.schedule_new_orchestration(fan_out, input=300)).get_output() == list(range(1, 301))


def test_the_first_of_several_wins_and_the_rest_does_no_harm(client, serve, finished):
    gate = threading.Event()

    def slow(_: task.ActivityContext, __):
        gate.wait(20)
        return "slow"

    def race(ctx: task.OrchestrationContext, _):
        quick, late = ctx.call_activity(plus_one, input=1), ctx.call_activity(slow)
        winner = yield task.when_any([late, quick])
        return "quick" if winner is quick else "slow"

    serve([race], [plus_one, slow])
    instance_id = client.schedule_new_orchestration(race)
    assert finished(instance_id).get_output() == "quick"
    gate.set()
    assert finished(instance_id).get_output() == "quick"


def test_a_failure_that_nobody_catches_fails_the_workflow(client, serve, finished):
    def fails(_: task.ActivityContext, __):
        raise RuntimeError("nobody catches me")

    def lets_go(ctx: task.OrchestrationContext, _):
        yield ctx.call_activity(fails)

    serve([lets_go], [fails])
    state = finished(client.schedule_new_orchestration(lets_go), OrchestrationStatus.FAILED)
    assert "nobody catches me" in state.failure_details.message
    assert state.failure_details.stack_trace


def test_a_retried_activity_succeeds_in_the_end(client, serve, finished):
    calls = []

    def flaky(_: task.ActivityContext, __):
        calls.append(1)
        if len(calls) < 4:
            raise RuntimeError(f"attempt {len(calls)}")
        return len(calls)

    def patient(ctx: task.OrchestrationContext, _):
        return (yield ctx.call_activity(flaky, retry_policy=soon(5, backoff_coefficient=1.5)))

    serve([patient], [flaky])
    assert finished(client.schedule_new_orchestration(patient)).get_output() == 4
    assert len(calls) == 4


def test_retries_end_with_the_policy(client, serve, finished):
    calls = []

    def hopeless(_: task.ActivityContext, __):
        calls.append(1)
        raise RuntimeError("again and again")

    def patient(ctx: task.OrchestrationContext, _):
        yield ctx.call_activity(hopeless, retry_policy=soon(3))

    serve([patient], [hopeless])
    state = finished(client.schedule_new_orchestration(patient), OrchestrationStatus.FAILED)
    assert "again and again" in state.failure_details.message
    assert len(calls) == 3


def test_parallel_retries_each_keep_their_own_count(client, serve, finished):
    calls: dict[int, int] = {}
    lock = threading.Lock()

    def flaky(_: task.ActivityContext, number: int):
        with lock:
            calls[number] = calls.get(number, 0) + 1
        if calls[number] <= number:
            raise RuntimeError("not yet")
        return number

    def patient(ctx: task.OrchestrationContext, _):
        tasks = [ctx.call_activity(flaky, input=number, retry_policy=soon(6)) for number in range(5)]
        return (yield task.when_all(tasks))

    serve([patient], [flaky])
    assert finished(client.schedule_new_orchestration(patient)).get_output() == [0, 1, 2, 3, 4]
    assert calls == {0: 1, 1: 2, 2: 3, 3: 4, 4: 5}


def test_large_payloads_pass_in_every_direction(client, serve, finished):
    def carries(ctx: task.OrchestrationContext, text: str):
        answer = yield ctx.call_activity(echo, input=text[: len(text) // 2])
        return answer

    serve([carries], [echo])
    text = "0123456789" * 60_000
    state = finished(client.schedule_new_orchestration(carries, input=text))
    assert state.get_output() == text[:300_000]


def test_empty_results_and_nothing_are_told_apart_from_failures(client, serve, finished):
    def collects(ctx: task.OrchestrationContext, _):
        results = []
        for value in (None, "", 0, [], {}):
            results.append((yield ctx.call_activity(echo, input=value)))
        return results

    serve([collects], [echo])
    assert finished(client.schedule_new_orchestration(collects)).get_output() == [None, "", 0, [], {}]


def test_an_activity_that_no_worker_knows_fails_the_call(client, serve, finished):
    def calls_nobody(ctx: task.OrchestrationContext, _):
        try:
            yield ctx.call_activity("nobody_knows_me")
        except task.TaskFailedError as error:
            return error.details.message

    serve([calls_nobody])
    assert "nobody_knows_me" in finished(client.schedule_new_orchestration(calls_nobody)).get_output()


def test_code_that_changed_under_a_history_is_named(client, serve, finished):
    gate = threading.Event()

    def first(_: task.ActivityContext, __):
        return 1

    def second(_: task.ActivityContext, __):
        return 2

    def changes(ctx: task.OrchestrationContext, _):
        yield ctx.call_activity(second if gate.is_set() else first)
        yield ctx.wait_for_external_event("go on")

    serve([changes], [first, second])
    instance_id = client.schedule_new_orchestration(changes)
    client.wait_for_orchestration_start(instance_id)
    gate.set()
    client.raise_orchestration_event(instance_id, "go on")
    state = finished(instance_id, OrchestrationStatus.FAILED)
    assert "NonDeterminism" in state.failure_details.error_type
