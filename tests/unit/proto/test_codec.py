"""Facts and actions survive being stored, whatever they hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_proto.actions import Action, CompleteWorkflow
from holdfast_proto.codec import (
    Kind,
    Unreadable,
    UnreadableKind,
    decode_action,
    decode_event,
    decode_failure,
    encode_action,
    encode_event,
    encode_failure,
    kind_of,
)
from holdfast_proto.codec.kinds import walk
from holdfast_proto.history import (
    ActivityCompleted,
    Failure,
    HistoryEvent,
    Status,
    TimerCreated,
    TurnStarted,
    WorkflowCompleted,
)
from holdfast_proto.v1 import history_pb2 as pb
from tests.support import strategies as given_a


@pytest.mark.parametrize("kind", get_args(HistoryEvent), ids=lambda kind: kind.__name__)
def test_every_kind_of_fact_has_a_strategy(kind: type[HistoryEvent]) -> None:
    assert kind in given_a.BY_KIND


@pytest.mark.parametrize("kind", get_args(Action), ids=lambda kind: kind.__name__)
def test_every_kind_of_action_has_a_strategy(kind: type[Action]) -> None:
    assert kind in given_a.ACTIONS_BY_KIND


@pytest.mark.parametrize("kind", given_a.BY_KIND, ids=lambda kind: kind.__name__)
def test_every_kind_of_fact_comes_back_as_it_was(kind: type[HistoryEvent]) -> None:
    @given(given_a.BY_KIND[kind])
    def check(event: HistoryEvent) -> None:
        assert decode_event(encode_event(event)) == event

    check()


@pytest.mark.parametrize("kind", given_a.ACTIONS_BY_KIND, ids=lambda kind: kind.__name__)
def test_every_kind_of_action_comes_back_as_it_was(kind: type[Action]) -> None:
    @given(given_a.ACTIONS_BY_KIND[kind])
    def check(action: Action) -> None:
        assert decode_action(encode_action(action)) == action

    check()


@given(given_a.failures)
def test_a_failure_comes_back_with_its_causes(failure: Failure) -> None:
    assert decode_failure(encode_failure(failure)) == failure


@given(given_a.events)
def test_the_kind_is_seen_without_decoding(event: HistoryEvent) -> None:
    name = "".join(f"_{letter}" if letter.isupper() else letter for letter in type(event).__name__).strip("_")
    assert kind_of(encode_event(event)) is Kind[name.upper()]


@given(st.binary(max_size=40) | st.binary(max_size=20).map(lambda tail: b"\x08\x01\x12\x02\x08\x01" + tail))
def test_a_kind_is_found_at_a_glance_only_where_a_walk_finds_it(data: bytes) -> None:
    assert _told(kind_of, data) == _told(walk, data)


def _told(look: Callable[[bytes], Kind], data: bytes) -> Kind | str:
    try:
        return look(data)
    except Unreadable as error:
        return str(error)


def test_kinds_are_numbered_like_the_schema() -> None:
    members = pb.HistoryEvent.DESCRIPTOR.oneofs_by_name["kind"].fields
    assert {field.name.upper(): field.number for field in members} == {kind.name: kind.value for kind in Kind}


def test_the_last_nanosecond_of_the_year_9999_is_kept() -> None:
    event = TimerCreated(at=1, seq=0, fire_at=given_a.SENTINEL_AT)
    decoded = decode_event(encode_event(event))
    assert decoded == event


def test_an_empty_result_is_another_thing_than_none() -> None:
    empty, none = ActivityCompleted(at=0, seq=0, result=""), ActivityCompleted(at=0, seq=0, result=None)
    assert [decode_event(encode_event(event)) for event in (empty, none)] == [empty, none]


def test_carried_tags_may_be_none_or_empty() -> None:
    for tags in (None, {}, {"a": "b"}):
        action = CompleteWorkflow(seq=1, status=Status.CONTINUED_AS_NEW, tags=tags)
        assert decode_action(encode_action(action)) == action


def test_a_fact_of_a_newer_release_is_named_as_such() -> None:
    newer = pb.HistoryEvent(event_id=4).SerializeToString() + b"\xaa\x9c\x01\x00"  # field 2501
    with pytest.raises(UnreadableKind, match="newer release"):
        decode_event(newer)
    with pytest.raises(UnreadableKind, match="newer release"):
        kind_of(newer)


def test_an_action_of_a_newer_release_is_named_as_such() -> None:
    with pytest.raises(UnreadableKind, match="newer release"):
        decode_action(pb.Action(seq=4).SerializeToString())


def test_a_number_outside_of_an_enumeration_is_named() -> None:
    row = pb.HistoryEvent(workflow_completed=pb.WorkflowCompleted(status=77)).SerializeToString()
    with pytest.raises(Unreadable, match="77"):
        decode_event(row)


def test_only_received_events_are_carried_over() -> None:
    carried = pb.Action(complete_workflow=pb.CompleteWorkflow(carryover=[pb.HistoryEvent(suspended=pb.Suspended())]))
    with pytest.raises(Unreadable, match="found a Suspended"):
        decode_action(carried.SerializeToString())


@given(st.binary(max_size=60))
def test_garbage_is_unreadable_and_nothing_worse(data: bytes) -> None:
    for read in (decode_event, decode_action, decode_failure, kind_of):
        with suppress(Unreadable):
            read(data)


@given(given_a.events, st.integers(0, 200))
def test_a_cut_row_is_unreadable_and_nothing_worse(event: HistoryEvent, cut: int) -> None:
    row = encode_event(event)[:-cut] if cut else b""
    for read in (decode_event, kind_of):
        with suppress(Unreadable):
            read(row)


def test_confirming_facts_carry_the_id_of_their_action_and_the_others_minus_one() -> None:
    completed = pb.HistoryEvent.FromString(encode_event(WorkflowCompleted(at=0, seq=7, status=Status.COMPLETED)))
    started = pb.HistoryEvent.FromString(encode_event(TurnStarted(at=0)))
    assert (completed.event_id, started.event_id) == (7, -1)
