"""Where a watch stands after each answer, and which answers end it."""

import pytest

from holdfast_placement.etcd import prefix_end
from holdfast_placement.etcd_errors import Compacted, HistoryRewound, WatchCanceled
from holdfast_placement.etcd_watch import Position
from holdfast_proto.etcd import etcd_pb2 as pb


def event(revision: int, key: bytes = b"k") -> pb.Event:
    return pb.Event(kv=pb.KeyValue(key=key, mod_revision=revision))


def answer(*events: pb.Event, revision: int = 100, fragment: bool = False, watch_id: int = 0) -> pb.WatchResponse:
    header = pb.ResponseHeader(revision=revision)
    return pb.WatchResponse(header=header, events=events, fragment=fragment, watch_id=watch_id)


def test_it_resumes_after_the_last_event_although_the_store_is_further() -> None:
    position = Position(10)
    batch = position.take(answer(event(10), event(12), revision=50))
    assert batch is not None
    assert (batch.revision, position.next_revision) == (12, 13)


def test_pieces_are_joined() -> None:
    position = Position(10)
    assert position.take(answer(event(11), fragment=True)) is None
    assert position.next_revision == 10
    batch = position.take(answer(event(11, b"l")))
    assert batch is not None
    assert [found.kv.key for found in batch.events] == [b"k", b"l"]


def test_pieces_of_a_broken_stream_are_forgotten() -> None:
    position = Position(10)
    position.take(answer(event(11), fragment=True))
    assert position.request(b"/k").start_revision == 10
    batch = position.take(answer(event(11), event(11, b"l")))
    assert batch is not None
    assert len(batch.events) == 2


def test_a_progress_notice_moves_on_but_an_answer_to_our_asking_does_not() -> None:
    position = Position(10)
    assert position.take(answer(revision=40, watch_id=-1)) is None
    assert position.next_revision == 10
    batch = position.take(answer(revision=40))
    assert batch is not None
    assert (batch.events, batch.revision, position.next_revision) == ((), 40, 41)


def test_the_greeting_says_nothing_about_the_position() -> None:
    position = Position(10)
    assert position.take(pb.WatchResponse(header=pb.ResponseHeader(revision=70), created=True)) is None
    assert position.next_revision == 10


def test_a_compacted_start_is_named() -> None:
    with pytest.raises(Compacted, match="revision 10 was compacted, the oldest is 25"):
        Position(10).take(pb.WatchResponse(canceled=True, compact_revision=25))


def test_a_canceled_watch_is_named() -> None:
    with pytest.raises(WatchCanceled, match="permission denied"):
        Position(10).take(pb.WatchResponse(canceled=True, cancel_reason="etcdserver: permission denied"))


def test_an_etcd_that_is_behind_what_it_told_is_named() -> None:
    with pytest.raises(HistoryRewound, match="revision 9 was seen before, now it is at 3"):
        Position(10).take(answer(revision=3))


@pytest.mark.parametrize(("prefix", "end"), [(b"/a/", b"/a0"), (b"a\xff", b"b"), (b"\xff", b"\0"), (b"", b"\0")])
def test_the_end_of_a_prefix(prefix: bytes, end: bytes) -> None:
    assert prefix_end(prefix) == end
