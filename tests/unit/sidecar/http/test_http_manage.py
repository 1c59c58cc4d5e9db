"""Our own routes: everything the engine can do, over HTTP."""

import json
from typing import Any

import pytest

from tests.unit.sidecar.http.world import World, a_world

ROOT = "/api/v1/instances"


async def test_a_start_is_accepted_with_a_place_to_poll(world: World) -> None:
    body = {"name": "echo", "id": "a/b", "input": {"n": 1.50}, "tags": {"team": "x"}, "version": "2"}
    status, found, headers = await world.call("POST", ROOT, body=json.dumps(body))
    assert (status, found) == (202, {"id": "a/b"})
    assert headers["Location"] == "/api/v1/instances/a%2Fb?poll=true"
    _, instance, _ = await world.call("GET", f"{ROOT}/a%2Fb/wait")
    assert (instance["status"], instance["output"]) == ("COMPLETED", {"n": 1.5})
    assert (instance["tags"], instance["version"]) == ({"team": "x"}, "2")


async def test_a_payload_that_is_no_json_shows_as_text(world: World) -> None:
    await world.start("echo", "text", "not json {")
    assert (await world.call("GET", f"{ROOT}/text"))[1]["output"] == "not json {"


async def test_a_number_keeps_all_its_digits(world: World) -> None:
    await world.start("echo", "big", "123456789012345678901234567890")
    async with world.client.get(f"{ROOT}/big") as answer:
        assert '"output":123456789012345678901234567890' in await answer.text()


async def test_the_list_filters_and_pages(world: World) -> None:
    for number in range(5):
        await world.start("echo", f"e-{number}")
    await world.start("wait", "w-1", until="start")
    _, first, _ = await world.call("GET", f"{ROOT}?status=completed&prefix=e-&limit=3")
    _, second, _ = await world.call("GET", f"{ROOT}?status=COMPLETED&prefix=e-&limit=3&cursor={first['cursor']}")
    assert [item["id"] for item in first["instances"] + second["instances"]] == [f"e-{n}" for n in range(5)]
    assert second["cursor"] is None
    _, running, _ = await world.call("GET", f"{ROOT}?name=wait&status=RUNNING,PENDING")
    assert [item["id"] for item in running["instances"]] == ["w-1"]
    _, none, _ = await world.call("GET", f"{ROOT}?created_from=2200-01-01T00:00:00Z")
    assert none["instances"] == []


@pytest.mark.parametrize(
    "query",
    [
        "status=HAPPY",
        "statsu=RUNNING",
        "limit=0",
        "limit=1001",
        "limit=x",
        "created_from=yesterday",
        "created_from=2026-01-01T00:00:00",
        "cursor=nonsense",
        "order=random",
        "payloads=maybe",
        "limit=1&limit=2",
    ],
)
async def test_a_wrong_query_is_refused_and_named(world: World, query: str) -> None:
    status, body, _ = await world.call("GET", f"{ROOT}?{query}")
    assert (status, body["errorCode"]) == (400, "InvalidRequest")


async def test_history_comes_decoded_and_in_pages(world: World) -> None:
    await world.start("echo", "h", '{"x": 1}')
    _, body, _ = await world.call("GET", f"{ROOT}/h/history")
    kinds = [event["kind"] for event in body["events"]]
    assert kinds == ["TurnStarted", "WorkflowStarted", "WorkflowCompleted"]
    assert body["events"][1]["input"] == {"x": 1}
    assert body["events"][2]["status"] == "COMPLETED"
    assert body["events"][0]["at"].endswith("Z")
    _, page, _ = await world.call("GET", f"{ROOT}/h/history?from=1&limit=1")
    assert ([event["row"] for event in page["events"]], page["next"]) == ([1], 2)


async def test_a_wait_that_is_over_answers_202_with_the_present_state(world: World) -> None:
    await world.start("wait", "slow", until="start")
    status, body, headers = await world.call("GET", f"{ROOT}/slow/wait?timeout=10ms")
    assert (status, body["status"]) == (202, "RUNNING")
    assert headers["Retry-After"] == "1"


async def test_an_event_with_one_key_counts_once(world: World) -> None:
    await world.start("wait", "once", until="start")
    for _ in range(2):
        status, _, _ = await world.call(
            "POST", f"{ROOT}/once/events/other", body="1", headers={"Idempotency-Key": "k1"}
        )
        assert status == 202
    await world.call("POST", f"{ROOT}/once/events/go", body='{"ok": true}')
    _, ended, _ = await world.call("GET", f"{ROOT}/once/wait")
    assert ended["output"] == {"ok": True}
    _, history, _ = await world.call("GET", f"{ROOT}/once/history")
    assert sum(event.get("name") == "other" for event in history["events"]) == 1


async def test_pause_and_resume_and_terminate(world: World) -> None:
    await world.start("wait", "p", until="start")
    assert (await world.call("POST", f"{ROOT}/p/pause", body='{"reason": "lunch"}'))[0] == 202
    assert (await world.call("GET", f"{ROOT}/p"))[1]["is_suspended"] is True
    assert (await world.call("POST", f"{ROOT}/p/resume"))[0] == 202
    assert (await world.call("POST", f"{ROOT}/p/terminate", body='{"output": {"why": "x"}}'))[0] == 202
    _, body, _ = await world.call("GET", f"{ROOT}/p")
    assert (body["status"], body["output"]) == ("TERMINATED", {"why": "x"})


async def test_rewind_restart_and_rerun(world: World) -> None:
    await world.start("fail", "f")
    assert (await world.call("POST", f"{ROOT}/f/rewind"))[0] == 202
    await world.start("echo", "e", "5")
    assert (await world.call("POST", f"{ROOT}/e/rewind"))[1]["errorCode"] == "WrongState"
    _, copy, _ = await world.call("POST", f"{ROOT}/e/restart", body='{"new_id": true}')
    assert (await world.call("GET", f"{ROOT}/{copy['id']}/wait"))[1]["output"] == 5
    status, body, _ = await world.call("POST", f"{ROOT}/e/rerun", body='{"seq": 9}')
    assert (status, body["errorCode"]) == (404, "EventNotFound")
    await world.start("busy", "b", until="start")
    await world.call("POST", f"{ROOT}/b/terminate")
    status, body, _ = await world.call("POST", f"{ROOT}/b/rerun", body='{"seq": 0, "id": "b2", "input": {"again": 1}}')
    assert (status, body) == (202, {"id": "b2"})
    _, history, _ = await world.call("GET", f"{ROOT}/b2/history")
    scheduled = next(event for event in history["events"] if event["kind"] == "ActivityScheduled")
    assert (scheduled["input"], scheduled["rerun_of"]) == ({"again": 1}, "b")


async def test_purge_deletes_ended_instances_only(world: World) -> None:
    await world.start("echo", "gone")
    await world.start("wait", "stays", until="start")
    assert (await world.call("DELETE", f"{ROOT}/gone"))[1] == {"purged": 1, "is_complete": True}
    assert (await world.call("DELETE", f"{ROOT}/gone"))[0] == 404
    status, body, _ = await world.call("DELETE", f"{ROOT}/stays")
    assert (status, body["errorCode"]) == (409, "WrongState")
    assert (await world.call("DELETE", f"{ROOT}/stays?force=true"))[1]["purged"] == 1


async def test_a_bulk_purge_needs_a_filter(world: World) -> None:
    for number in range(3):
        await world.start("echo", f"x-{number}")
    assert (await world.call("POST", "/api/v1/purge"))[0] == 400
    assert (await world.call("POST", "/api/v1/purge", body='{"prefix": "x-"}'))[1]["purged"] == 3
    assert (await world.call("GET", ROOT))[1]["instances"] == []


async def test_on_a_taken_id_the_caller_chooses(world: World) -> None:
    start: dict[str, Any] = {"name": "wait", "id": "t"}
    assert (await world.call("POST", ROOT, body=json.dumps(start)))[0] == 202
    await world.call("GET", f"{ROOT}/t/wait?until=start")
    assert (await world.call("POST", ROOT, body=json.dumps(start)))[0] == 409
    assert (await world.call("POST", ROOT, body=json.dumps({**start, "keep": ["RUNNING"]})))[0] == 202
    assert (await world.call("GET", f"{ROOT}/t"))[1]["generation"] == 1
    assert (await world.call("POST", ROOT, body=json.dumps({**start, "replace": ["RUNNING"]})))[0] == 202
    assert (await world.call("GET", f"{ROOT}/t"))[1]["generation"] == 2


async def test_a_start_for_later_says_when(world: World) -> None:
    body = {"name": "echo", "id": "later", "scheduled_at": "2200-01-01T00:00:00Z"}
    await world.call("POST", ROOT, body=json.dumps(body))
    assert (await world.call("GET", f"{ROOT}/later"))[1]["scheduled_at"] == "2200-01-01T00:00:00Z"
    _, why, _ = await world.call("GET", f"{ROOT}/later/why")
    assert why["summary"] == "it starts at 2200-01-01T00:00:00Z"


async def test_the_trace_of_the_caller_is_kept(world: World) -> None:
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    await world.call("POST", ROOT, body='{"name": "echo", "id": "tr"}', headers={"traceparent": parent})
    await world.call("GET", f"{ROOT}/tr/wait")
    _, history, _ = await world.call("GET", f"{ROOT}/tr/history")
    assert history["events"][1]["trace"]["parent"] == parent


@pytest.mark.parametrize(
    "body",
    ["[]", "{", '{"name": 1}', '{"id": "x"}', '{"name": "e", "nmae": 1}', '{"name": "echo", "keep": ["X"]}',
     '{"name": "echo", "scheduled_at": "2026-01-01T00:00:00"}', '{"name": ""}', "[" * 10_000],
)  # fmt: skip
async def test_a_wrong_body_is_refused_and_named(world: World, body: str) -> None:
    status, found, _ = await world.call("POST", ROOT, body=body)
    assert (status, found["errorCode"]) == (400, "InvalidRequest")


async def test_keys_show_the_state_under_the_names_of_its_layout(world: World) -> None:
    await world.start("busy", "k", "7", until="start")
    _, body, _ = await world.call("GET", f"{ROOT}/k/keys")
    rows = [f"history-{row:06}" for row in range(3)]
    assert list(body) == ["metadata", *rows, "k#0", "reminders"]
    assert body["metadata"]["history_length"] == 3
    assert body["history-000001"]["input"] == 7
    assert body["k#0"]["activityreq-1"]["name"] == "work"


class TestWhy:
    async def test_it_waits_for_an_event(self, world: World) -> None:
        await world.start("wait", "w", until="start")
        _, why, _ = await world.call("GET", f"{ROOT}/w/why")
        assert [(wait["kind"], wait["name"]) for wait in why["waits_for"]] == [("event", "go")]
        assert "fires_at" not in why["waits_for"][0]

    async def test_it_waits_for_an_activity_that_nobody_runs(self, world: World) -> None:
        await world.start("busy", "b", until="start")
        _, why, _ = await world.call("GET", f"{ROOT}/b/why")
        assert why["waits_for"][0]["name"] == "work"
        assert why["waits_for"][0]["has_worker"] is False

    async def test_its_workflow_is_not_registered(self, world: World) -> None:
        await world.call("POST", ROOT, body='{"name": "other", "id": "o"}')
        _, why, _ = await world.call("GET", f"{ROOT}/o/why")
        assert "no connected worker takes workflow 'other'" in why["summary"]

    async def test_no_worker_is_connected(self) -> None:
        async with a_world(has_worker=False) as world:
            await world.call("POST", ROOT, body='{"name": "echo", "id": "o"}')
            _, why, _ = await world.call("GET", f"{ROOT}/o/why")
        assert "no worker is connected" in why["summary"]

    async def test_it_has_ended(self, world: World) -> None:
        await world.start("echo", "e")
        assert (await world.call("GET", f"{ROOT}/e/why"))[1]["summary"] == "it has ended: COMPLETED"

    async def test_there_is_no_such_instance(self, world: World) -> None:
        assert (await world.call("GET", f"{ROOT}/nobody/why"))[0] == 404
