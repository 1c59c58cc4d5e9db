"""The Dapr workflow API: its routes, codes and bodies."""

import pytest

from tests.unit.sidecar.http.world import World, a_world

GROUPS = ("/v1.0", "/v1.0-beta1", "/v1.0-alpha1")


@pytest.mark.parametrize("group", GROUPS)
async def test_every_group_starts_and_shows_an_instance(world: World, group: str) -> None:
    status, body, headers = await world.call(
        "POST", f"{group}/workflows/dapr/echo/start?instanceID=order-1", body='{"n": 1}'
    )
    assert (status, body) == (202, {"instanceID": "order-1"})
    assert headers["Location"] == f"{group}/workflows/dapr/order-1?poll=true"
    assert headers["Retry-After"] == "1"
    await world.call("GET", "/api/v1/instances/order-1/wait")
    status, body, _ = await world.call("GET", f"{group}/workflows/any/order-1")
    assert status == 200
    assert body["properties"] == {"dapr.workflow.input": '{"n": 1}', "dapr.workflow.output": '{"n": 1}'}
    assert (body["instanceID"], body["workflowName"], body["runtimeStatus"]) == ("order-1", "echo", "COMPLETED")
    assert body["createdAt"] <= body["lastUpdatedAt"]


async def test_a_start_without_an_id_gets_one(world: World) -> None:
    _, body, headers = await world.call("POST", "/v1.0/workflows/dapr/echo/start")
    assert body["instanceID"] in headers["Location"]
    assert (await world.call("GET", f"/v1.0/workflows/dapr/{body['instanceID']}"))[0] == 200


async def test_polling_answers_202_until_the_end(world: World) -> None:
    await world.start("wait", "w", until="start")
    path = "/v1.0/workflows/dapr/w"
    assert (await world.call("GET", path))[0] == 200
    status, _, headers = await world.call("GET", f"{path}?poll=true")
    assert (status, headers["Location"]) == (202, f"{path}?poll=true")
    assert (await world.call("POST", f"{path}/raiseEvent/go", body='"now"'))[0] == 202
    await world.call("GET", "/api/v1/instances/w/wait")
    status, body, headers = await world.call("GET", f"{path}?poll=true")
    assert (status, "Location" in headers) == (200, False)
    assert body["properties"]["dapr.workflow.output"] == '"now"'


async def test_a_failed_instance_shows_its_failure_and_no_output(world: World) -> None:
    await world.start("fail", "f")
    _, body, _ = await world.call("GET", "/v1.0/workflows/dapr/f")
    assert body["runtimeStatus"] == "FAILED"
    assert body["properties"] == {
        "dapr.workflow.failure.error_type": "ValueError",
        "dapr.workflow.failure.error_message": "no",
        "dapr.workflow.failure.stack_trace": "line 1",
    }


async def test_pause_resume_terminate_and_purge_answer_202_without_a_body(world: World) -> None:
    await world.start("wait", "p", until="start")
    seen = list[str]()
    for verb in ("pause", "resume", "terminate"):
        assert (await world.call("POST", f"/v1.0/workflows/dapr/p/{verb}"))[:2] == (202, "")
        seen.append((await world.call("GET", "/v1.0/workflows/dapr/p"))[1]["runtimeStatus"])
    assert seen == ["SUSPENDED", "RUNNING", "TERMINATED"]
    assert (await world.call("POST", "/v1.0/workflows/dapr/p/purge"))[:2] == (202, "")
    assert (await world.call("GET", "/v1.0/workflows/dapr/p"))[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/v1.0/workflows/dapr//start", 400, "ERR_WORKFLOW_NAME_MISSING"),
        ("POST", "/v1.0/workflows//echo/start", 400, "ERR_WORKFLOW_COMPONENT_MISSING"),
        ("POST", "/v1.0/workflows/dapr/echo/start?instanceID=a%20b", 400, "ERR_INSTANCE_ID_INVALID"),
        ("POST", f"/v1.0/workflows/dapr/echo/start?instanceID={'a' * 65}", 400, "ERR_INSTANCE_ID_TOO_LONG"),
        ("GET", "/v1.0/workflows/dapr/", 400, "ERR_INSTANCE_ID_PROVIDED_MISSING"),
        ("GET", "/v1.0/workflows/dapr/nobody", 404, "ERR_INSTANCE_ID_NOT_FOUND"),
        ("POST", "/v1.0/workflows/dapr/nobody/raiseEvent/", 400, "ERR_WORKFLOW_EVENT_NAME_MISSING"),
        ("POST", "/v1.0/workflows/dapr/nobody/raiseEvent/x", 404, "ERR_INSTANCE_ID_NOT_FOUND"),
        ("POST", "/v1.0/workflows/dapr/nobody/purge", 404, "ERR_INSTANCE_ID_NOT_FOUND"),
        ("POST", "/v1.0/workflows/dapr/nobody/terminate", 404, "ERR_INSTANCE_ID_NOT_FOUND"),
    ],
)
async def test_a_wrong_request_gets_the_code_for_it(
    world: World, method: str, path: str, status: int, code: str
) -> None:
    found, body, _ = await world.call(method, path)
    assert (found, body["errorCode"]) == (status, code)
    assert body["message"]
    assert isinstance(body["details"], list)


async def test_an_id_in_use_is_the_failure_of_a_start_and_names_its_cause(world: World) -> None:
    await world.start("wait", "twice", until="start")
    status, body, _ = await world.call("POST", "/v1.0/workflows/dapr/wait/start?instanceID=twice")
    assert (status, body["errorCode"]) == (500, "ERR_START_WORKFLOW")
    assert body["details"][0]["reason"] == "InstanceExists"


async def test_purging_what_still_runs_fails_and_changes_nothing(world: World) -> None:
    await world.start("wait", "alive", until="start")
    status, body, _ = await world.call("POST", "/v1.0/workflows/dapr/alive/purge")
    assert (status, body["errorCode"]) == (500, "ERR_PURGE_WORKFLOW")
    assert (await world.call("GET", "/v1.0/workflows/dapr/alive"))[1]["runtimeStatus"] == "RUNNING"


async def test_an_input_that_is_no_text_is_refused(world: World) -> None:
    status, body, _ = await world.call("POST", "/v1.0/workflows/dapr/echo/start?instanceID=bad", body=b"\xff")
    assert (status, body["errorCode"]) == (400, "ERR_START_WORKFLOW")
    assert (await world.call("GET", "/v1.0/workflows/dapr/bad"))[0] == 404


async def test_an_id_made_elsewhere_can_be_read_and_ended(world: World) -> None:
    await world.call("POST", "/api/v1/instances", body='{"name": "wait", "id": "parent:0001/x"}')
    path = "/v1.0/workflows/dapr/parent%3A0001%2Fx"
    assert (await world.call("POST", f"{path}/terminate"))[0] == 202
    assert (await world.call("GET", path))[1]["runtimeStatus"] == "TERMINATED"


async def test_the_first_alpha_shape_still_works(world: World) -> None:
    path = "/v1.0-alpha1/workflows/dapr/echo/old-1"
    status, body, _ = await world.call("POST", f"{path}/start", body='{"input": {"a": 1}}')
    assert (status, body["instance_id"]) == (202, "old-1")
    await world.call("GET", "/api/v1/instances/old-1/wait")
    status, body, _ = await world.call("GET", path)
    assert status == 202
    assert body["WFInfo"] == {"instance_id": "old-1"}
    assert body["metadata"]["dapr.workflow.output"] == '{"a": 1}'


async def test_an_event_called_start_is_an_event(world: World) -> None:
    await world.start("wait", "evt", until="start")
    assert (await world.call("POST", "/v1.0-alpha1/workflows/dapr/evt/raiseEvent/start"))[0] == 202


async def test_a_payload_over_the_limit_is_413() -> None:
    async with a_world(limits={"payload_bytes_max": 100}) as world:
        status, body, _ = await world.call("POST", "/v1.0/workflows/dapr/echo/start", body="x" * 101)
    assert (status, body["errorCode"]) == (413, "ERR_START_WORKFLOW")
    assert body["details"][0]["reason"] == "PayloadTooLarge"
