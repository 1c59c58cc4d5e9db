"""Which dialect a stream speaks: one test for every sign."""

from __future__ import annotations

from typing import Final

import pytest

from holdfast_sidecar.api.durabletask import dapr, microsoft
from holdfast_sidecar.api.durabletask.dialect import Filters, Stream, after_answer, open_stream
from holdfast_sidecar.api.durabletask.errors import BadRequest
from holdfast_sidecar.api.durabletask.evidence import dialect_of
from holdfast_sidecar.api.durabletask.model import Dialect
from tests.unit.proto.vectors import scenario

MS, DAPR, UNKNOWN = Dialect.MICROSOFT, Dialect.DAPR, Dialect.UNKNOWN
PYTHON: Final = scenario("microsoft", "stream")
NOTHING: Final = scenario("dapr", "stream of nothing")


@pytest.mark.parametrize(
    ("request_", "metadata", "port", "expected"),
    [
        (NOTHING, {}, MS, MS),
        (scenario("dapr", "stream"), {}, MS, MS),
        (PYTHON, {"taskhub": "x"}, DAPR, DAPR),
        (scenario("dapr", "stream"), {}, UNKNOWN, DAPR),
        (scenario("dapr", "stream of Go"), {}, UNKNOWN, DAPR),
        (scenario("microsoft", "stream with filters"), {"dapr-api-token": "x"}, UNKNOWN, MS),
        (b"\x52\x01\x03", {}, UNKNOWN, MS),
        (b"\x5a\x00", {}, UNKNOWN, MS),
        (b"\x62\x01w", {}, UNKNOWN, MS),
        (scenario("microsoft", "stream with entities"), {}, UNKNOWN, MS),
        (PYTHON, {}, UNKNOWN, UNKNOWN),
        (scenario("legacy", "stream"), {}, UNKNOWN, UNKNOWN),
        (NOTHING, {}, UNKNOWN, UNKNOWN),
        (NOTHING, {"taskhub": "default"}, UNKNOWN, MS),
        (NOTHING, {"x-user-agent": "durabletask-js/0.4.0 (DurableTaskWorker)"}, UNKNOWN, MS),
        (NOTHING, {"x-user-agent": "curl"}, UNKNOWN, UNKNOWN),
        (PYTHON, {"dapr-api-token": "secret"}, UNKNOWN, DAPR),
    ],
    ids=[
        "a port for Microsoft",
        "the port beats the fields",
        "the port beats the metadata",
        "field 4 of Python",
        "field 4 of Go",
        "the fields beat the metadata",
        "field 10",
        "field 11",
        "field 12",
        "field 3",
        "fields 1 and 2 of Microsoft",
        "fields 1 and 2 of legacy Dapr",
        "empty",
        "taskhub",
        "x-user-agent of the Microsoft family",
        "another x-user-agent",
        "dapr-api-token",
    ],
)
def test_the_opening_of_a_stream(request_: bytes, metadata: dict[str, str], port: Dialect, expected: Dialect) -> None:
    assert open_stream(request_, metadata=metadata, port=port).dialect is expected


@pytest.mark.parametrize(
    ("client", "name", "expected"),
    [
        ("dapr", "turn with an empty router", DAPR),
        ("legacy", "turn with an empty router", DAPR),
        ("legacy", "turn with a child", DAPR),
        ("legacy", "turn without a version", DAPR),
        ("microsoft", "turn that rewinds", MS),
        ("microsoft", "turn that schedules", MS),
        ("legacy", "turn that schedules", DAPR),
        ("dapr", "turn that schedules", DAPR),
        ("microsoft", "turn with trace", MS),
        ("dapr", "turn with a task execution id", DAPR),
        ("microsoft", "turn with tags", MS),
        ("microsoft", "turn with a child", MS),
        ("dapr", "turn with a child", DAPR),
        ("dapr", "turn with timers", DAPR),
        ("dapr", "turn that starts apart", DAPR),
        ("dapr", "turn without a version", DAPR),
        ("dapr", "turn carrying a routed event", DAPR),
        ("microsoft", "turn that continues as new", MS),
        ("microsoft", "turn of an entity's caller", MS),
        ("microsoft", "second chunk", MS),
        ("microsoft", "turn that wants its history", MS),
        ("microsoft", "turn that schedules plainly", UNKNOWN),
        ("microsoft", "turn with a timer", UNKNOWN),
        ("microsoft", "turn with messages", UNKNOWN),
        ("microsoft", "turn that completes", UNKNOWN),
    ],
)
def test_the_first_answer_shows_the_dialect_or_shows_nothing(client: str, name: str, expected: Dialect) -> None:
    assert dialect_of(scenario(client, name)) is expected
    assert after_answer(open_stream(PYTHON), scenario(client, name)).dialect is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"\x32\x00", DAPR),
        (b"\x32\x04\x0a\x02p1", DAPR),
        (b"\x32\x08\x0a\x02\x0a\x00\x12\x02\x08\x01", MS),
        (b"\x12\x09\x32\x07\x2a\x05\x08\x01\xf2\x01\x00", MS),
        (b"\x12\x02\x4a\x00", MS),
        (b"\x12\x04\x0a\x00", UNKNOWN),
    ],
    ids=[
        "an empty version",
        "patches",
        "a span and its start",
        "a carried event that is only a rewind",
        "field 9 alone",
        "bytes that break off",
    ],
)
def test_the_smallest_signs(answer: bytes, expected: Dialect) -> None:
    assert dialect_of(answer) is expected


def test_a_child_with_a_router_but_without_one_on_the_action_shows_nothing() -> None:
    assert dialect_of(b"\x12\x0a\x1a\x08\x2a\x06\x0a\x04shop") is UNKNOWN


def test_a_known_dialect_never_changes() -> None:
    stream = open_stream(scenario("dapr", "stream"))
    assert after_answer(stream, scenario("microsoft", "turn that schedules")) is stream


def test_an_answer_that_shows_nothing_changes_nothing() -> None:
    stream = open_stream(NOTHING)
    assert after_answer(stream, scenario("microsoft", "turn that completes")) is stream


@pytest.mark.parametrize(
    ("request_", "ping"),
    [
        (PYTHON, microsoft.health_ping()),
        (scenario("legacy", "stream"), microsoft.health_ping()),
        (scenario("microsoft", "stream with entities"), microsoft.health_ping()),
        (b"\x5a\x00", microsoft.health_ping()),
        (scenario("dapr", "stream"), dapr.health_ping()),
        (scenario("dapr", "stream of Go"), b""),
        (NOTHING, b""),
    ],
)
def test_only_a_client_that_can_bear_a_ping_gets_one(request_: bytes, ping: bytes) -> None:
    assert open_stream(request_).ping == ping


def test_a_stream_says_whether_it_keeps_history() -> None:
    assert [open_stream(scenario("dapr", name)).caches_history for name in ("stream", "stream of Go")] == [True, True]
    assert not open_stream(scenario("microsoft", "stream with filters")).caches_history


def test_limits_and_filters_are_those_of_the_worker() -> None:
    stream = open_stream(scenario("microsoft", "stream with filters"))
    assert (stream.workflows_max, stream.activities_max) == (200, 100)
    assert stream.filters == Filters(workflows={"ship": frozenset({"1", "2"})}, activities={"pack": frozenset()})


def test_no_filters_means_everything_and_empty_filters_mean_nothing() -> None:
    assert open_stream(PYTHON).filters is None
    assert open_stream(b"\x5a\x00").filters == Filters()


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"taskhub": "x", "user-agent": "grpc-python/1.71.2 grpc-c/46.0.0 (linux; chttp2)"}, True),
        ({"x-user-agent": "durabletask-js/0.4.0 (DurableTaskWorker)"}, True),
        ({"taskhub": "x", "user-agent": "grpc-java-netty/1.60"}, False),
        ({"taskhub": "x"}, False),
        ({"user-agent": "grpc-python/1.71.2"}, False),
    ],
    ids=["Python", "JavaScript", "Java", "nobody in particular", "Python of an unknown family"],
)
def test_only_clients_that_repair_a_history_are_sent_a_rewind(metadata: dict[str, str], *, expected: bool) -> None:
    assert open_stream(NOTHING, metadata=metadata).can_rewind is expected


def test_a_worker_may_have_a_name() -> None:
    assert open_stream(b"\x62\x01w").worker_id == "w"
    assert open_stream(NOTHING, metadata={"workerid": "host:1:u"}).worker_id == "host:1:u"


def test_each_dialect_has_its_words() -> None:
    assert Stream(dialect=MS).words is microsoft
    assert Stream(dialect=DAPR).words is dapr


def test_a_broken_opening_is_refused() -> None:
    with pytest.raises(BadRequest, match="an encoded GetWorkItemsRequest"):
        open_stream(b"\x0a\xff")
