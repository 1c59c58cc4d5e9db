"""Management calls, as the clients' own message modules write them, are read without knowing the client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from holdfast_proto.history import Status, Trace
from holdfast_sidecar.api.durabletask import requests
from holdfast_sidecar.api.durabletask.errors import BadRequest
from holdfast_sidecar.core.errors import Kind
from holdfast_sidecar.core.messages import ReusePolicy
from tests.unit.proto.vectors import scenario

DAY_AT: Final = 1_706_933_106_000_000_000
NEXT_DAY_AT: Final = DAY_AT + 86_400_000_000_000
NANO_AT: Final = 1_706_933_106_789_012_345
NONE: Final = frozenset[Status]()


def policy_of(client: str, name: str) -> ReusePolicy:
    return requests.read_start(scenario(client, name)).policy


def test_a_start_with_everything() -> None:
    assert requests.read_start(scenario("microsoft", "start")) == requests.Start(
        instance_id="i",
        name="ship",
        version="2",
        input="1",
        scheduled_at=NANO_AT,
        execution_id="e",
        tags={"a": "b"},
        trace=Trace("p"),
    )


def test_a_start_at_the_epoch_is_a_start_now() -> None:
    assert requests.read_start(scenario("microsoft", "start now")).scheduled_at is None


def test_without_a_policy_an_ended_instance_is_replaced() -> None:
    assert policy_of("microsoft", "start") == ReusePolicy()


def test_the_newer_policy_names_what_may_be_replaced() -> None:
    expected = ReusePolicy(replaceable=frozenset({Status.COMPLETED, Status.FAILED}))
    assert policy_of("microsoft", "start in place of ended ones") == expected


def test_an_empty_policy_replaces_nothing() -> None:
    assert policy_of("microsoft", "start in place of nothing") == ReusePolicy(replaceable=NONE)


def test_replacing_running_instances_but_not_terminated_ones_is_refused() -> None:
    with pytest.raises(BadRequest, match="Terminated, which cannot be excluded when running instances are reusable"):
        requests.read_start(scenario("microsoft", "start in place of running ones only"))


def test_the_older_policy_terminates_or_keeps() -> None:
    running = frozenset({Status.RUNNING})
    assert policy_of("legacy", "start, terminating") == ReusePolicy(replaceable=running)
    assert policy_of("legacy", "start, ignoring") == ReusePolicy(replaceable=NONE, kept=running)


def test_dapr_may_insist_on_an_id_that_was_never_used() -> None:
    start = requests.read_start(scenario("dapr", "start"))
    assert (start.policy, start.version) == (ReusePolicy(replaceable=NONE), "")


def test_an_unknown_reuse_action_is_refused() -> None:
    with pytest.raises(BadRequest, match="a reuse action from 0 to 2, found 7"):
        requests.read_start(b"\x12\x01n\x32\x02\x10\x07")


def test_a_start_needs_a_name_but_no_id() -> None:
    assert requests.read_start(b"\x12\x01n").instance_id == ""
    with pytest.raises(BadRequest, match="start: expected a workflow name, found none"):
        requests.read_start(b"\x0a\x01i")


@pytest.mark.parametrize(
    ("client", "name", "expected"),
    [
        ("microsoft", "purge one", requests.PurgeOne(instance_id="i", recursive=True)),
        ("legacy", "purge one by force", requests.PurgeOne(instance_id="i", force=True)),
        ("dapr", "purge one", requests.PurgeOne(instance_id="i", recursive=True, force=True)),
        ("microsoft", "purge a batch", requests.PurgeListed(instance_ids=("i", "j"))),
        (
            "microsoft",
            "purge by filter",
            requests.PurgeMatching(
                created_from=DAY_AT,
                created_to=NEXT_DAY_AT,
                statuses=frozenset({Status.FAILED}),
                timeout=240_000_000_000,
            ),
        ),
    ],
)
def test_the_forms_of_a_purge(client: str, name: str, expected: requests.Purge) -> None:
    assert requests.read_purge(scenario(client, name)) == expected


def test_a_purge_of_nothing_is_refused() -> None:
    with pytest.raises(BadRequest, match="an instance id, a list of them or a filter"):
        requests.read_purge(b"\x18\x01")


def test_a_query() -> None:
    assert requests.read_query(scenario("microsoft", "query")) == requests.Query(
        statuses=frozenset({Status.RUNNING, Status.PENDING}),
        created_from=DAY_AT,
        created_to=NEXT_DAY_AT,
        limit=2**31 - 1,
        cursor="c",
        id_prefix="pre",
        payloads=True,
    )
    assert requests.read_query(b"") == requests.Query()


def test_the_two_listings_of_ids() -> None:
    assert requests.read_list_ended(scenario("microsoft", "list of ended")) == requests.ListEnded(
        statuses=frozenset({Status.COMPLETED}), completed_from=DAY_AT, limit=3, cursor="k"
    )
    assert requests.read_list_all(scenario("dapr", "list of all")) == requests.ListAll(limit=1024, cursor="c")


@pytest.mark.parametrize(
    ("read", "client", "name", "expected"),
    [
        (requests.read_get, "microsoft", "get", requests.Get(instance_id="i", payloads=True)),
        (
            requests.read_raise_event,
            "microsoft",
            "raise",
            requests.RaiseEvent(instance_id="i", name="Go", input="1"),
        ),
        (
            requests.read_terminate,
            "microsoft",
            "terminate",
            requests.Terminate(instance_id="i", output="enough", recursive=True),
        ),
        (requests.read_suspend, "microsoft", "suspend", requests.WithReason(instance_id="i", reason="wait")),
        (requests.read_resume, "microsoft", "resume", requests.WithReason(instance_id="i")),
        (requests.read_rewind, "microsoft", "rewind", requests.WithReason(instance_id="i", reason="again")),
        (requests.read_restart, "microsoft", "restart", requests.Restart(instance_id="i", with_new_id=True)),
        (
            requests.read_stream_history,
            "microsoft",
            "history",
            requests.ReadHistory(instance_id="i", execution_id="e", for_turn=True),
        ),
        (requests.read_get_history, "dapr", "history", requests.ReadHistory(instance_id="i")),
        (
            requests.read_rerun,
            "dapr",
            "rerun",
            requests.Rerun(instance_id="i", seq=0, new_id="n", input="", overwrites_input=True, new_child_id="nc"),
        ),
        (requests.read_abandon, "microsoft", "abandon", "t"),
        (requests.read_create_task_hub, "microsoft", "create hub", True),
    ],
)
def test_the_other_calls(read: Callable[[bytes], object], client: str, name: str, expected: object) -> None:
    assert read(scenario(client, name)) == expected


@pytest.mark.parametrize(
    "read",
    [
        requests.read_get,
        requests.read_raise_event,
        requests.read_terminate,
        requests.read_suspend,
        requests.read_resume,
        requests.read_rewind,
        requests.read_restart,
        requests.read_rerun,
        requests.read_stream_history,
        requests.read_get_history,
    ],
)
def test_a_call_to_an_instance_needs_its_id(read: Callable[[bytes], object]) -> None:
    with pytest.raises(BadRequest, match="expected an instance id, found none") as caught:
        read(b"")
    assert caught.value.kind is Kind.INVALID


def test_a_negative_page_is_refused() -> None:
    with pytest.raises(BadRequest, match="a page size of 0 or more, found -1"):
        requests.read_list_ended(b"\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")


def test_a_time_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(BadRequest, match="between the years 1 and 9999"):
        requests.read_query(b"\x0a\x0b\x12\x09\x08\xff\xff\xff\xff\xff\xff\xff\x7f")
