import pytest
from durabletask import task
from durabletask.client import OrchestrationFailedError, OrchestrationStatus


def test_a_failure_brings_type_message_stack_and_cause(client, serve, finished):
    def fails(_: task.ActivityContext, __):
        try:
            raise KeyError("the cause")
        except KeyError as cause:
            raise ValueError("the failure") from cause

    def catches(ctx: task.OrchestrationContext, _):
        try:
            yield ctx.call_activity(fails)
        except task.TaskFailedError as error:
            inner = error.details.inner_failure
            return [
                error.details.error_type,
                error.details.message,
                "fails" in (error.details.stack_trace or ""),
                None if inner is None else inner.error_type,
            ]

    serve([catches], [fails])
    output = finished(client.schedule_new_orchestration(catches)).get_output()
    kind, message, has_stack, cause = output
    assert kind.endswith("ValueError")
    assert "the failure" in message
    assert has_stack
    assert cause.endswith("KeyError")


def test_failure_properties_travel_with_the_failure(client, serve, finished):
    class Provider:
        def get_exception_properties(self, _: BaseException):
            return {"order": 7, "hints": ["a", "b"], "nested": {"deep": True}}

    def fails(_: task.ActivityContext, __):
        raise ValueError("with properties")

    def catches(ctx: task.OrchestrationContext, _):
        try:
            yield ctx.call_activity(fails)
        except task.TaskFailedError as error:
            return error.details.properties

    serve([catches], [fails], exception_properties_provider=Provider())
    found = finished(client.schedule_new_orchestration(catches)).get_output()
    assert found == {"order": 7, "hints": ["a", "b"], "nested": {"deep": True}}


def test_a_failed_workflow_says_why(client, serve, finished):
    def fails(_: task.OrchestrationContext, __):
        try:
            raise KeyError("the cause")
        except KeyError as cause:
            raise ValueError("the failure") from cause

    serve([fails])
    state = finished(client.schedule_new_orchestration(fails), OrchestrationStatus.FAILED)
    details = state.failure_details
    assert details.error_type.endswith("ValueError")
    assert details.message.endswith("the failure")
    assert "fails" in details.stack_trace
    with pytest.raises(OrchestrationFailedError):
        state.raise_if_failed()
