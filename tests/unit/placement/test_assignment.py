"""Who owns what: the bound, minimal movement, and the same answer as a slow and simple model."""

import math
import time
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast_placement.assignment import POINTS_PER_HOST, assign, bound, hash64

UNTIMED = settings(deadline=None)  # the machine is shared
names = st.text("abcdefgh-0123456789", min_size=1, max_size=8)
fleets = st.lists(names, min_size=1, max_size=12, unique=True)
sizes = st.integers(1, 96)


@UNTIMED
@given(sizes, fleets)
def test_no_host_is_above_the_bound(partitions: int, hosts: list[str]) -> None:
    loads = Counter(assign(partitions, hosts))
    assert sum(loads.values()) == partitions
    assert max(loads.values()) <= math.ceil(Fraction(11, 10) * Fraction(partitions, len(hosts)))


def test_the_bound_is_exact_where_floating_point_is_not() -> None:
    assert math.ceil(1.1 * 100 / 10) == 12
    assert bound(100, 10) == 11


@UNTIMED
@given(sizes, fleets)
def test_the_order_of_hosts_does_not_matter(partitions: int, hosts: list[str]) -> None:
    assert assign(partitions, hosts) == assign(partitions, sorted(hosts)) == assign(partitions, set(hosts))


@UNTIMED
@given(sizes, fleets)
def test_asking_again_moves_nothing(partitions: int, hosts: list[str]) -> None:
    owners = assign(partitions, hosts)
    assert assign(partitions, hosts, current=owners, settled=hosts) == owners


@UNTIMED
@given(sizes, fleets.filter(lambda hosts: len(hosts) > 1))
def test_a_leave_moves_only_what_the_host_owned(partitions: int, hosts: list[str]) -> None:
    gone, *rest = hosts
    before = assign(partitions, hosts)
    after = assign(partitions, rest, current=before, settled=hosts)
    assert all(old == gone for old, new in zip(before, after, strict=True) if old != new)
    assert gone not in after


@UNTIMED
@given(sizes, fleets, names)
def test_a_join_moves_only_to_the_newcomer_or_off_an_overfull_host(partitions: int, hosts: list[str], new: str) -> None:
    before = assign(partitions, hosts)
    grown = [*hosts, new] if new not in hosts else hosts
    after = assign(partitions, grown, current=before, settled=hosts)
    left_to_others = Counter(old for old, now in zip(before, after, strict=True) if old != now and now != new)
    kept = Counter(old for old, now in zip(before, after, strict=True) if old == now)
    assert all(kept[host] == bound(partitions, len(grown)) for host in left_to_others)


@UNTIMED
@given(st.lists(names, min_size=4, max_size=4, unique=True))
def test_a_fourth_host_takes_a_fair_share_and_moves_at_most_a_quarter(hosts: list[str]) -> None:
    before = assign(1024, hosts[:3])
    after = assign(1024, hosts, current=before, settled=hosts[:3])
    moves = sum(old != new for old, new in zip(before, after, strict=True))
    assert moves <= 0.25 * 1024
    assert Counter(after)[hosts[3]] >= 0.15 * 1024


def test_a_thousand_hosts_and_16384_partitions_are_no_matter_of_minutes() -> None:
    """It takes about 0.3 s; the bound leaves room for a busy machine and none for a quadratic rule."""
    hosts = [f"host-{number}" for number in range(1000)]
    started = time.perf_counter()
    owners = assign(16_384, hosts)
    assert time.perf_counter() - started < 5
    assert max(Counter(owners).values()) <= bound(16_384, 1000) == 19


def test_without_hosts_nobody_owns_anything() -> None:
    assert assign(3, []) == (None, None, None)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.booleans(), names), min_size=1, max_size=8), st.integers(1, 40))
def test_a_slow_and_simple_model_agrees_over_any_history(steps: list[tuple[bool, str]], partitions: int) -> None:
    owners: Sequence[str | None] = (None,) * partitions
    settled: list[str] = []
    for joins, name in steps:
        hosts = [host for host in settled if host != name] + [name] * joins
        expected = model(partitions, hosts, owners, settled)
        owners = assign(partitions, hosts, current=owners, settled=settled)
        assert list(owners) == expected
        settled = hosts


def model(partitions: int, hosts: list[str], current: Sequence[str | None], settled: list[str]) -> list[str | None]:
    """The rules word for word: no sorted ring, no counters, everything looked up again each time."""
    if not hosts:
        return [None] * partitions
    points = [(hash64(f"{host}-{number}"), host) for host in hosts for number in range(POINTS_PER_HOST)]
    at_most = math.ceil(Fraction(11 * partitions, 10 * len(hosts)))
    wishes = [wish_list(points, partition) for partition in range(partitions)]
    owners: list[str | None] = [None] * partitions
    newcomers = [host for host in hosts if host not in settled]
    driven_out = sum(max(0, list(current).count(host) - at_most) for host in hosts)
    allowed = math.ceil(Fraction(partitions, len(hosts))) * len(newcomers) - driven_out
    for is_voluntary in (False, True):
        for partition, wish in enumerate(wishes):
            if owners[partition] or wish[0] not in newcomers or owners.count(wish[0]) >= at_most:
                continue
            before = current[partition]
            left = sum(host == before and owner is None for host, owner in zip(current, owners, strict=True))
            must_move = before not in hosts or before == wish[0] or left > at_most
            if must_move and not is_voluntary:
                owners[partition] = wish[0]
            elif is_voluntary and allowed > 0:
                owners[partition] = wish[0]
                allowed -= 1
    for partition, owner in enumerate(current):
        if owners[partition] is None and owner in hosts:
            owners[partition] = owner
    for host in hosts:
        while owners.count(host) > at_most:
            mine = [partition for partition, owner in enumerate(owners) if owner == host]
            rather_elsewhere = [partition for partition in mine if wishes[partition][0] != host]
            owners[(rather_elsewhere or mine)[0]] = None
    for partition, wish in enumerate(wishes):
        if owners[partition] is None:
            owners[partition] = next(host for host in wish if owners.count(host) < at_most)
    return owners


def wish_list(points: list[tuple[int, str]], partition: int) -> list[str]:
    start = hash64(f"partition/{partition}")
    along = sorted(points, key=lambda point: ((point[0] - start) % 2**64, point[1]))
    return list(dict.fromkeys(host for _, host in along))
