"""What holds on every route: names for errors, a limit for bodies, the token, health."""

from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from holdfast_sidecar.api.openapi import openapi
from tests.unit.sidecar.http.world import World, a_world


async def test_an_unknown_route_is_404_and_names_a_near_one(world: World) -> None:
    status, body, _ = await world.call("GET", "/api/v1/instance")
    assert (status, body["errorCode"]) == (404, "RouteNotFound")
    assert "did you mean /api/v1/instances?" in body["message"]


async def test_a_wrong_method_is_405_and_says_which_are_right(world: World) -> None:
    status, body, headers = await world.call("PUT", "/api/v1/instances")
    assert (status, body["errorCode"]) == (405, "MethodNotAllowed")
    assert "POST" in headers["Allow"]


async def test_a_body_over_the_limit_is_413() -> None:
    async with a_world(request_bytes_max=1000) as world:
        status, body, _ = await world.call("POST", "/v1.0/workflows/dapr/echo/start", body="x" * 1001)
    assert (status, body["errorCode"]) == (413, "PayloadTooLarge")
    assert "request_bytes_max" in body["message"]


async def test_every_route_stands_in_the_openapi_document(world: World) -> None:
    routed = {resource.canonical for resource in world.app.router.resources()}
    described = set(cast("dict[str, Any]", openapi("1")["paths"]))
    assert described == routed
    assert (await world.call("GET", "/api/v1/openapi.json"))[1]["info"]["version"] == "1.2.3"


class TestHealth:
    async def test_a_sidecar_that_works_answers_204(self, world: World) -> None:
        assert (await world.call("GET", "/v1.0/healthz"))[:2] == (204, "")
        assert (await world.call("GET", "/v1.0/healthz/outbound"))[:2] == (204, "")

    async def test_one_without_partitions_lives_but_cannot_work(self, world: World) -> None:
        world.host.release(tuple(world.host.owned))
        assert (await world.call("GET", "/v1.0/healthz"))[0] == 204
        status, body, _ = await world.call("GET", "/v1.0/healthz/outbound")
        assert (status, body["errorCode"]) == (503, "ERR_OUTBOUND_HEALTH_NOT_READY")
        assert "owns no partition" in body["message"]

    async def test_one_that_ends_says_so(self, world: World) -> None:
        world.health.is_draining = True
        for path in ("/v1.0/healthz", "/v1.0/healthz/outbound"):
            status, body, _ = await world.call("GET", path)
            assert (status, body["message"]) == (503, "the sidecar is shutting down")

    async def test_it_says_what_it_is(self, world: World) -> None:
        _, body, _ = await world.call("GET", "/v1.0/metadata")
        assert (body["id"], body["runtimeVersion"]) == ("app", "1.2.3")
        assert body["workflows"] == {"connectedWorkers": 1}
        assert body["partitions"] == {"owned": 8, "total": 8}


async def test_metrics_show_what_happened(world: World) -> None:
    await world.start("echo", "m")
    async with world.client.get("/metrics") as answer:
        assert answer.content_type == "text/plain"
        families = text_string_to_metric_families(await answer.text())
        samples = {sample.name: sample.value for family in families for sample in family.samples}
    assert samples["holdfast_turns_total"] == 1
    assert samples["holdfast_ends_total"] == 1
    assert samples["holdfast_workers"] == 1
    assert samples["holdfast_store_commit_seconds_count"] == samples["holdfast_commit_groups_total"] >= 2
    assert samples["process_resident_memory_bytes"] > 0


class TestToken:
    @pytest.mark.parametrize(
        "headers",
        [
            {"dapr-api-token": "s3cret"},
            {"holdfast-api-token": "s3cret"},
            {"Authorization": "Bearer s3cret"},
            {"authorization": "bearer s3cret"},
        ],
    )
    async def test_who_shows_it_is_served(self, headers: dict[str, str]) -> None:
        async with a_world(api_token="s3cret") as world:
            assert (await world.call("GET", "/api/v1/instances", headers=headers))[0] == 200

    @pytest.mark.parametrize(
        "headers",
        [{}, {"dapr-api-token": "wrong"}, {"Authorization": "Basic s3cret"}, {"Authorization": "Bearer"}],
    )
    async def test_who_does_not_is_refused(self, headers: dict[str, str]) -> None:
        async with a_world(api_token="s3cret") as world:
            for path in ("/api/v1/instances", "/metrics", "/nope", "/v1.0/metadata"):
                status, body, _ = await world.call("GET", path, headers=headers)
                assert (status, body["errorCode"]) == (401, "ERR_UNAUTHENTICATED")

    async def test_probes_need_none(self) -> None:
        async with a_world(api_token="s3cret") as world:
            assert (await world.call("GET", "/v1.0/healthz"))[0] == 204
            assert (await world.call("GET", "/v1.0/healthz/outbound"))[0] == 204
