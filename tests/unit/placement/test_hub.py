"""Who is behind by a little gets a difference, everybody else the whole table, and each is encoded once."""

from holdfast_placement.assignment import assign
from holdfast_placement.hub import Hub
from holdfast_placement.table import AppKey, Host, Table, decode, empty, moved, patched
from holdfast_proto.v1 import placement_pb2 as pb

APP = AppKey("default", "orders")


def tables(number: int, partitions: int = 256) -> list[Table]:
    """Versions 1 to `number`, a host more in each."""
    found = [empty(APP, partitions)]
    for version in range(1, number + 1):
        hosts = [Host(f"h{each:02}", "a:1", "1") for each in range(version)]
        owners = assign(
            partitions,
            [host.id for host in hosts],
            current=[row.host for row in found[-1].rows],
            settled=[host.id for host in found[-1].hosts],
        )
        found.append(moved(found[-1], hosts, owners=owners, version=version))
    return found[1:]


def read(frame: tuple[int, bytes] | None) -> pb.ToHost:
    assert frame is not None
    return pb.ToHost.FromString(frame[1])


def test_the_first_frame_is_the_whole_table() -> None:
    hub, (table,) = Hub(), tables(1)
    hub.publish(table)
    frame = hub.frame(APP, None)
    assert frame is not None
    assert (frame[0], decode(read(frame).table)) == (1, table)


def test_the_next_frame_is_a_difference() -> None:
    hub, published = Hub(), tables(6)
    for table in published:
        hub.publish(table)
    message = read(hub.frame(APP, 4))
    assert message.WhichOneof("kind") == "diff"
    assert patched(published[3], message.diff) == published[5]


def test_who_is_far_behind_gets_the_whole_table() -> None:
    hub, published = Hub(), tables(12)
    for table in published:
        hub.publish(table)
    assert decode(read(hub.frame(APP, 1)).table) == published[-1]


def test_who_is_up_to_date_gets_nothing() -> None:
    hub, (table,) = Hub(), tables(1)
    assert hub.frame(APP, None) is None
    hub.publish(table)
    assert hub.frame(APP, 1) is None


def test_an_older_version_is_not_published() -> None:
    hub, (first, second) = Hub(), tables(2)
    assert hub.publish(second)
    assert not hub.publish(first)
    assert hub.table(APP) == second


def test_subscribers_are_woken_and_may_go() -> None:
    hub, (first, second) = Hub(), tables(2)
    woken = list[int]()

    def wake() -> None:
        woken.append(1)

    hub.subscribe(APP, wake)
    hub.publish(first)
    hub.unsubscribe(APP, wake)
    hub.publish(second)
    assert woken == [1]


def test_all_subscribers_share_the_same_bytes() -> None:
    hub, (table,) = Hub(), tables(1)
    hub.publish(table)
    first, second = hub.frame(APP, None), hub.frame(APP, None)
    assert first is not None
    assert second is not None
    assert first[1] is second[1]
