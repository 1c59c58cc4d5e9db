"""Answers to management calls, read back with the schemas of both families."""

from __future__ import annotations

from typing import Final

from holdfast_proto.durabletask import dapr_pb2, microsoft_pb2
from holdfast_proto.history import Failure, Status
from holdfast_sidecar.api.durabletask import responses
from holdfast_sidecar.api.durabletask.responses import Snapshot

BARE: Final = Snapshot(instance_id="i", name="n", status=Status.PENDING, created_at=1, updated_at=2)
FULL: Final = Snapshot(
    instance_id="i",
    name="n",
    status=Status.FAILED,
    created_at=1_000_000_001,
    updated_at=2_000_000_002,
    version="v",
    scheduled_at=3,
    input="",
    output="o",
    custom_status="c",
    failure=Failure(kind="K", message="m", properties=b"\x32\x05\x0a\x01k\x12\x00"),
    execution_id="e",
    completed_at=4,
    parent_id="p",
    tags={"a": "b"},
    parent_app_id="app",
    started_at=5,
)


def test_a_snapshot_shows_everything_to_both_families() -> None:
    data = responses.found(FULL)
    for schema in (microsoft_pb2.GetInstanceResponse, dapr_pb2.GetInstanceResponse):
        response = schema.FromString(data)
        state = response.orchestration_state
        assert response.exists
        assert (state.instance_id, state.name, state.orchestration_status) == ("i", "n", Status.FAILED)
        assert (state.created_timestamp.seconds, state.created_timestamp.nanos) == (1, 1)
        assert (state.last_updated_timestamp.seconds, state.last_updated_timestamp.nanos) == (2, 2)
        assert (state.scheduled_start_timestamp.nanos, state.completed_timestamp.nanos) == (3, 4)
        assert (state.version.value, state.output.value, state.custom_status.value) == ("v", "o", "c")
        assert (state.execution_id.value, state.parent_instance_id.value, dict(state.tags)) == ("e", "p", {"a": "b"})
        assert state.HasField("input")
        assert (state.failure_details.kind, list(state.failure_details.properties)) == ("K", [b"\x0a\x01k\x12\x00"])
    state = dapr_pb2.GetInstanceResponse.FromString(data).orchestration_state
    assert (state.parent_app_id.value, state.started_at.nanos) == ("app", 5)


def test_what_is_not_known_stays_absent() -> None:
    state = dapr_pb2.GetInstanceResponse.FromString(responses.found(BARE)).orchestration_state
    assert {field.name for field, _ in state.ListFields()} == {
        "instance_id",
        "name",
        "orchestration_status",
        "created_timestamp",
        "last_updated_timestamp",
    }


def test_an_unknown_instance_does_not_exist() -> None:
    assert responses.found(None) == b""


def test_a_page_has_a_token_only_when_there_is_more() -> None:
    more = microsoft_pb2.QueryInstancesResponse.FromString(responses.page([FULL, BARE], cursor="c"))
    last = microsoft_pb2.QueryInstancesResponse.FromString(responses.page([]))
    assert ([state.name for state in more.orchestration_state], more.continuation_token.value) == (["n", "n"], "c")
    assert not last.HasField("continuation_token")


def test_the_two_listings_of_ids_have_tokens_of_their_own() -> None:
    ended = microsoft_pb2.ListInstanceIdsResponse.FromString(responses.ended_ids(["i"], cursor="k"))
    every = dapr_pb2.ListInstanceIDsResponse.FromString(responses.all_ids(["i"], cursor="c"))
    assert (list(ended.instance_ids), ended.last_instance_key.value) == (["i"], "k")
    assert (list(every.instance_ids), every.continuation_token) == (["i"], "c")


def test_the_last_listing_has_no_token() -> None:
    assert not microsoft_pb2.ListInstanceIdsResponse.FromString(responses.ended_ids([])).HasField("last_instance_key")
    assert not dapr_pb2.ListInstanceIDsResponse.FromString(responses.all_ids([])).HasField("continuation_token")


def test_a_purge_says_how_many_and_whether_all() -> None:
    part = microsoft_pb2.PurgeInstancesResponse.FromString(responses.purged(3, is_complete=False))
    one = microsoft_pb2.PurgeInstancesResponse.FromString(responses.purged(1))
    assert (part.deleted_instance_count, part.HasField("is_complete"), part.is_complete.value) == (3, True, False)
    assert (one.deleted_instance_count, one.HasField("is_complete")) == (1, False)


def test_new_ids_are_told() -> None:
    assert microsoft_pb2.CreateInstanceResponse.FromString(responses.started("i")).instance_id == "i"
    assert microsoft_pb2.RestartInstanceResponse.FromString(responses.restarted("i")).instance_id == "i"
    assert dapr_pb2.RerunWorkflowFromEventResponse.FromString(responses.rerun("i")).new_instance_id == "i"
