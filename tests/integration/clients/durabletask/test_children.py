from datetime import timedelta

from durabletask import task
from durabletask.client import OrchestrationStatus

from tests.support.clients.inside import eventually


def echo(_: task.OrchestrationContext, value):
    return value


def held(ctx: task.OrchestrationContext, _):
    return (yield ctx.wait_for_external_event("release"))


def fails(_: task.OrchestrationContext, text: str):
    raise ValueError(text)


def has_ended(client, instance_id: str, status: OrchestrationStatus) -> bool:
    state = client.wait_for_orchestration_completion(instance_id, timeout=30)
    return state.runtime_status is status


def test_a_child_gets_an_id_from_its_parent_and_answers_it(client, serve, finished):
    def parent(ctx: task.OrchestrationContext, value):
        return (yield ctx.call_sub_orchestrator(echo, input=value))

    serve([parent, echo])
    instance_id = client.schedule_new_orchestration(parent, input={"deep": [1]})
    assert finished(instance_id).get_output() == {"deep": [1]}
    assert finished(f"{instance_id}:0001").get_output() == {"deep": [1]}


def test_a_fan_out_of_children_gathers_them_all(client, serve, finished):
    def parent(ctx: task.OrchestrationContext, width: int):
        return (yield task.when_all([ctx.call_sub_orchestrator(echo, input=number) for number in range(width)]))

    serve([parent, echo])
    assert finished(client.schedule_new_orchestration(parent, input=60)).get_output() == list(range(60))


def test_children_of_children_answer_up_the_line(client, serve, finished):
    def descends(ctx: task.OrchestrationContext, depth: int):
        if depth == 0:
            return 0
        return 1 + (yield ctx.call_sub_orchestrator(descends, input=depth - 1))

    serve([descends])
    assert finished(client.schedule_new_orchestration(descends, input=8)).get_output() == 8


def test_the_failure_of_a_child_reaches_the_parent(client, serve, finished):
    def parent(ctx: task.OrchestrationContext, _):
        try:
            yield ctx.call_sub_orchestrator(fails, input="from below")
        except task.TaskFailedError as error:
            return [error.details.error_type, error.details.message]

    serve([parent, fails])
    kind, message = finished(client.schedule_new_orchestration(parent)).get_output()
    assert "ValueError" in kind
    assert "from below" in message


def test_a_failed_child_is_tried_again_under_its_id(client, serve, finished):
    tries = []

    def flaky(ctx: task.OrchestrationContext, _):
        if not ctx.is_replaying:
            tries.append(ctx.instance_id)
        if len(tries) < 3:
            raise RuntimeError("not yet")
        return len(tries)

    def parent(ctx: task.OrchestrationContext, _):
        policy = task.RetryPolicy(first_retry_interval=timedelta(milliseconds=20), max_number_of_attempts=5)
        return (yield ctx.call_sub_orchestrator(flaky, retry_policy=policy))

    serve([parent, flaky])
    instance_id = client.schedule_new_orchestration(parent)
    assert finished(instance_id).get_output() == 3
    assert tries == [f"{instance_id}:0001"] * 3


def test_a_child_whose_id_is_taken_fails_the_call(client, serve, finished):
    def parent(ctx: task.OrchestrationContext, child_id: str):
        try:
            yield ctx.call_sub_orchestrator(echo, instance_id=child_id, input="never")
        except task.TaskFailedError as error:
            return error.details.message

    serve([parent, held, echo])
    taken = client.schedule_new_orchestration(held)
    client.wait_for_orchestration_start(taken)
    assert taken in finished(client.schedule_new_orchestration(parent, input=taken)).get_output()
    client.raise_orchestration_event(taken, "release", data="unharmed")
    assert finished(taken).get_output() == "unharmed"


def test_terminating_a_parent_takes_its_descendants_along(client, serve, finished):
    def middle(ctx: task.OrchestrationContext, _):
        yield ctx.call_sub_orchestrator(held)

    def top(ctx: task.OrchestrationContext, _):
        yield task.when_all([ctx.call_sub_orchestrator(middle), ctx.call_sub_orchestrator(middle)])

    serve([top, middle, held])
    instance_id = client.schedule_new_orchestration(top)
    family = [f"{instance_id}:{n}" for n in ("0001", "0002", "0001:0001", "0002:0001")]
    for descendant in ("0001:0001", "0002:0001"):
        _await_start(client, f"{instance_id}:{descendant}")
    client.terminate_orchestration(instance_id, output="enough", recursive=True)
    assert finished(instance_id, OrchestrationStatus.TERMINATED).get_output() == "enough"
    for descendant in family:
        assert has_ended(client, descendant, OrchestrationStatus.TERMINATED)


def test_terminating_only_the_parent_lets_a_child_live(client, serve, finished):
    def parent(ctx: task.OrchestrationContext, _):
        yield ctx.call_sub_orchestrator(held)

    serve([parent, held])
    instance_id = client.schedule_new_orchestration(parent)
    child_id = f"{instance_id}:0001"
    _await_start(client, child_id)
    client.terminate_orchestration(instance_id, recursive=False)
    finished(instance_id, OrchestrationStatus.TERMINATED)
    client.raise_orchestration_event(child_id, "release", data="alive")
    assert finished(child_id).get_output() == "alive"


def test_a_terminated_child_fails_the_call_of_its_parent(client, serve, finished):
    def parent(ctx: task.OrchestrationContext, _):
        try:
            yield ctx.call_sub_orchestrator(held)
        except task.TaskFailedError as error:
            return f"caught: {error.details.message}"

    serve([parent, held])
    instance_id = client.schedule_new_orchestration(parent)
    _await_start(client, f"{instance_id}:0001")
    client.terminate_orchestration(f"{instance_id}:0001")
    assert finished(instance_id).get_output().startswith("caught")


def test_the_result_of_a_child_for_an_ended_parent_does_no_harm(client, serve, finished):
    def parent(ctx: task.OrchestrationContext, _):
        child = ctx.call_sub_orchestrator(held)
        timer = ctx.create_timer(timedelta(milliseconds=50))
        yield task.when_any([child, timer])
        return "gone already"

    serve([parent, held])
    instance_id = client.schedule_new_orchestration(parent)
    assert finished(instance_id).get_output() == "gone already"
    client.raise_orchestration_event(f"{instance_id}:0001", "release", data="late")
    assert finished(f"{instance_id}:0001").get_output() == "late"
    assert finished(instance_id).get_output() == "gone already"


def _await_start(client, instance_id: str) -> None:
    eventually(lambda: client.get_orchestration_state(instance_id), f"instance {instance_id}")
    client.wait_for_orchestration_start(instance_id, timeout=30)
