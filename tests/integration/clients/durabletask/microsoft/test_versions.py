import pytest
from durabletask import task
from durabletask.client import OrchestrationStatus, TaskHubGrpcClient
from durabletask.worker import VersionFailureStrategy, VersioningOptions, VersionMatchStrategy

STRICT, OLDER, NONE = (
    VersionMatchStrategy.STRICT,
    VersionMatchStrategy.CURRENT_OR_OLDER,
    VersionMatchStrategy.NONE,
)


def tells(ctx: task.OrchestrationContext, _):
    return ctx.version


def knows(version: str, strategy: VersionMatchStrategy, failure=VersionFailureStrategy.FAIL, **more):
    options = VersioningOptions(version=version, match_strategy=strategy, failure_strategy=failure, **more)
    return lambda worker: worker.use_versioning(options)


@pytest.mark.parametrize(
    ("strategy", "asked", "runs"),
    [
        (NONE, "9.9", True),
        (STRICT, "2.0", True),
        (STRICT, "1.0", False),
        (OLDER, "1.5", True),
        (OLDER, "2.1", False),
    ],
)
def test_a_worker_runs_the_versions_that_its_strategy_means(client, serve, finished, strategy, asked, runs):
    serve([tells], prepare=knows("2.0", strategy))
    instance_id = client.schedule_new_orchestration(tells, version=asked)
    if runs:
        assert finished(instance_id).get_output() == asked
    else:
        assert finished(instance_id, OrchestrationStatus.FAILED).failure_details.error_type == "VersionMismatch"


def test_what_one_worker_rejects_waits_for_another(client, serve, finished):
    serve([tells], prepare=knows("1.0", STRICT, VersionFailureStrategy.REJECT))
    instance_id = client.schedule_new_orchestration(tells, version="2.0")
    with pytest.raises(TimeoutError):
        client.wait_for_orchestration_completion(instance_id, timeout=1)
    serve([tells], prepare=knows("2.0", STRICT, VersionFailureStrategy.REJECT))
    assert finished(instance_id).get_output() == "2.0"


def test_rejected_work_is_not_offered_in_a_hot_loop(client, serve, sidecar):
    serve([tells], prepare=knows("1.0", STRICT, VersionFailureStrategy.REJECT))
    instance_id = client.schedule_new_orchestration(tells, version="2.0")
    before = sidecar.metric("process_cpu_seconds_total")
    with pytest.raises(TimeoutError):
        client.wait_for_orchestration_completion(instance_id, timeout=2)
    assert sidecar.metric("process_cpu_seconds_total") - before < 0.5
    client.terminate_orchestration(instance_id)


def test_filters_with_versions_send_work_where_it_belongs(client, serve, finished):
    def one(worker):
        knows("1.0", STRICT)(worker)
        worker.use_work_item_filters()

    def two(worker):
        knows("2.0", STRICT)(worker)
        worker.use_work_item_filters()

    serve([tells], prepare=one)
    serve([tells], prepare=two)
    ids = {client.schedule_new_orchestration(tells, version=version): version for version in ["1.0", "2.0"] * 5}
    assert {instance_id: finished(instance_id).get_output() for instance_id in ids} == ids


def test_a_version_that_no_filter_takes_waits_and_keeps_its_events(client, serve, finished):
    def waits(ctx: task.OrchestrationContext, _):
        return (yield ctx.wait_for_external_event("release"))

    def only(version: str):
        def prepare(worker):
            knows(version, STRICT)(worker)
            worker.use_work_item_filters()

        return prepare

    serve([waits], prepare=only("1.0"))
    instance_id = client.schedule_new_orchestration(waits, version="2.0")
    client.raise_orchestration_event(instance_id, "release", data="kept")
    assert client.get_orchestration_state(instance_id).runtime_status is OrchestrationStatus.PENDING
    serve([waits], prepare=only("2.0"))
    assert finished(instance_id).get_output() == "kept"


def test_a_client_has_a_default_version(serve, finished, sidecar):
    serve([tells])
    with TaskHubGrpcClient(host_address=sidecar.grpc, default_version="3.1") as client:
        assert finished(client.schedule_new_orchestration(tells)).get_output() == "3.1"
        assert finished(client.schedule_new_orchestration(tells, version="1")).get_output() == "1"


def test_children_have_the_default_version_of_their_worker(client, serve, finished):
    def parent(ctx: task.OrchestrationContext, _):
        implicit = yield ctx.call_sub_orchestrator(tells)
        explicit = yield ctx.call_sub_orchestrator(tells, version="0.5")
        return [implicit, explicit]

    serve([parent, tells], prepare=knows("1.0", OLDER, default_version="0.9"))
    assert finished(client.schedule_new_orchestration(parent, version="1.0")).get_output() == ["0.9", "0.5"]


def test_a_workflow_without_a_version_has_none(client, serve, finished):
    serve([tells])
    instance_id = client.schedule_new_orchestration(tells)
    assert finished(instance_id).get_output() is None


def test_a_generation_may_have_a_new_version(client, serve, finished):
    def upgrades(ctx: task.OrchestrationContext, generation: int):
        if generation == 1:
            ctx.continue_as_new(2, new_version="2.0")
            return None
        return ctx.version

    serve([upgrades])
    instance_id = client.schedule_new_orchestration(upgrades, input=1, version="1.0")
    assert finished(instance_id).get_output() == "2.0"
