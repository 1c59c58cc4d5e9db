"""Epochs only grow, unmoved partitions keep their fence, and what is sent is what arrives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast_placement.assignment import assign
from holdfast_placement.table import (
    AppKey,
    BadTable,
    Host,
    Row,
    Table,
    decode,
    diff,
    empty,
    encode,
    moved,
    moves,
    partition_of,
    patched,
)

UNTIMED = settings(deadline=None)  # the machine is shared
APP = AppKey("default", "orders")
fleets = st.lists(
    st.builds(Host, st.sampled_from("abcde"), st.just("a:1"), st.sampled_from("123")),
    max_size=5,
    unique_by=lambda host: host.id,
)
histories = st.lists(st.tuples(fleets, st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=8)


def follow(table: Table, hosts: list[Host], *, step: int = 1, floor: int = 0) -> Table:
    owners = assign(
        table.partitions,
        {host.id for host in hosts},
        current=[row.host for row in table.rows],
        settled={host.id for host in table.hosts},
    )
    return moved(table, hosts, owners=owners, version=max(table.version, floor) + step, floor=floor)


def life(owner: Host | None) -> tuple[str, str] | None:
    return None if owner is None else (owner.id, owner.incarnation)


def host(name: str, incarnation: str = "1") -> Host:
    return Host(name, f"{name}:7000", incarnation)


@UNTIMED
@given(histories)
def test_a_partition_gets_a_higher_epoch_exactly_when_its_owner_changes(
    history: list[tuple[list[Host], int, int]],
) -> None:
    table = empty(APP, 16)
    for hosts, step, _ in history:
        later = follow(table, hosts, step=step)
        for partition, (old, new) in enumerate(zip(table.rows, later.rows, strict=True)):
            same = life(table.owner(partition)) == life(later.owner(partition))
            assert new.epoch == (old.epoch if same else later.version)
        table = later


@UNTIMED
@given(histories)
def test_epochs_never_fall_and_never_repeat_for_another_owner(history: list[tuple[list[Host], int, int]]) -> None:
    table, seen = empty(APP, 8), dict[tuple[int, int], tuple[str, str] | None]()
    for hosts, step, raised in history:
        later = follow(table, hosts, step=step, floor=table.version * (raised == 2))
        assert all(new.epoch >= old.epoch for old, new in zip(table.rows, later.rows, strict=True))
        for partition, row in enumerate(later.rows):
            owner = life(later.owner(partition))
            assert seen.setdefault((partition, row.epoch), owner) == owner
        table = later


@UNTIMED
@given(histories)
def test_tables_and_differences_survive_the_wire(history: list[tuple[list[Host], int, int]]) -> None:
    table = empty(APP, 12)
    for hosts, step, _ in history:
        later = follow(table, hosts, step=step)
        assert decode(encode(later)) == later
        assert patched(table, diff(table, later)) == later
        table = later


def test_a_restarted_host_of_the_same_name_is_another_owner() -> None:
    before = follow(empty(APP, 4), [host("a", "first")])
    after = follow(before, [host("a", "second")])
    assert {row.epoch for row in before.rows} == {1}
    assert {row.epoch for row in after.rows} == {2}
    assert moves(before, after) == {("a", "a"): 4}


def test_a_floor_raises_what_is_not_above_it_and_leaves_the_rest() -> None:
    table = follow(empty(APP, 4), [host("a")])
    raised = follow(table, [host("a")], floor=50)
    assert {row.epoch for row in raised.rows} == {51}
    assert follow(raised, [host("a")], floor=50).rows == raised.rows


def test_nobody_owning_a_partition_is_a_row_too() -> None:
    table = follow(follow(empty(APP, 2), [host("a")]), [])
    assert table.rows == (Row(None, 2), Row(None, 2))
    assert table.owner(0) is None


def test_owner_and_owned_agree() -> None:
    table = follow(empty(APP, 64), [host("a"), host("b")])
    for name in ("a", "b"):
        assert all(table.owner(partition) == host(name) for partition in table.owned(name))
        assert len(table.owned(name)) == table.loads()[name]


def test_versions_that_do_not_grow_are_refused() -> None:
    table = follow(empty(APP, 2), [host("a")])
    with pytest.raises(BadTable, match="expected a version above 1, found 1"):
        moved(table, [], owners=(None, None), version=1)


def test_a_difference_from_another_version_is_refused() -> None:
    first = follow(empty(APP, 2), [host("a")])
    second = follow(first, [host("a"), host("b")])
    with pytest.raises(BadTable, match="of default/orders from version 1: here is default/orders version 0"):
        patched(empty(APP, 2), diff(first, second))


def test_a_message_that_is_no_table_is_refused() -> None:
    message = encode(follow(empty(APP, 2), [host("a")]))
    message.owners[1] = 9
    with pytest.raises(BadTable, match="owner 9 of 1 hosts"):
        decode(message)
    with pytest.raises(BadTable, match="expected at least 1 partition"):
        decode(type(message)())


def test_1024_partitions_are_compact() -> None:
    table = follow(empty(APP, 1024), [host("a"), host("b"), host("c")], step=1_000)
    assert len(encode(table).SerializeToString()) < 4_000


def test_the_partition_of_an_instance_never_changes() -> None:
    assert [partition_of(text, 1024) for text in ("order-1", "order-2", "", "Ω")] == [573, 411, 692, 15]


@UNTIMED
@given(st.text(max_size=20), st.integers(1, 5000))
def test_every_instance_has_a_partition(instance_id: str, partitions: int) -> None:
    assert 0 <= partition_of(instance_id, partitions) < partitions


def test_instances_spread_evenly() -> None:
    counts = [0] * 16
    for number in range(16_000):
        counts[partition_of(f"order-{number}", 16)] += 1
    assert 900 < min(counts) <= max(counts) < 1100
