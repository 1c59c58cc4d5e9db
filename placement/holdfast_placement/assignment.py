"""Partitions -> hosts: consistent hashing with bounded load. Pure, deterministic, blind to the order of `hosts`.

The ring says where a partition would like to be: on the first host point at or after its own point. From that follow
the rules, in this order:

1. No host gets more than `bound` partitions, ceil(1.1 x average).
2. A partition stays where it is, unless its host is gone, or over the bound, or a newcomer is its first choice, of
   which a newcomer gets no more than the average.
3. A partition without a place goes to the first host along the ring that has room.

So a leave moves the partitions of the one who left and no other; a join moves to the newcomer what the ring gives it,
and from hosts that the smaller bound overfills just the surplus, what likes to be elsewhere first: 1/n in all.
"""

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Sequence
from typing import cast

from uhashring import HashRing  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs] # it has no stubs

POINTS_PER_HOST = 160  # at 3 hosts the fullest is 3 % over the average, at 100 hosts 20 %; the bound cuts the rest
SLACK_PERCENT = 110


def bound(partitions: int, hosts: int, slack_percent: int = SLACK_PERCENT) -> int:
    """ceil(slack x partitions / hosts), in integers: 1.1 x 300 is not 330 in floating point."""
    return -(-partitions * slack_percent // (hosts * 100))


def assign(
    partitions: int,
    hosts: Collection[str],
    *,
    current: Sequence[str | None] = (),
    settled: Collection[str] = (),
    slack_percent: int = SLACK_PERCENT,
) -> tuple[str | None, ...]:
    """The owner of every partition.

    `current` holds the owners so far, `settled` the hosts that had their share already.
    Costs O(n log n) in points plus partitions; call it off the event loop above a few hundred hosts.
    """
    if not hosts:
        return (None,) * partitions
    return _Placing(partitions, hosts, current, settled, slack_percent).owners()


class _Placing:
    def __init__(
        self,
        partitions: int,
        hosts: Collection[str],
        current: Sequence[str | None],
        settled: Collection[str],
        slack: int,
    ) -> None:
        self._points, self._hosts_along = _ring(hosts)
        self._starts = [self._start(partition) for partition in range(partitions)]
        self._bound = bound(partitions, len(hosts), slack)
        self._loads = dict.fromkeys(hosts, 0)
        self._owners: list[str | None] = [None] * partitions
        self._current = current or self._owners
        self._newcomers = self._loads.keys() - set(settled)

    def owners(self) -> tuple[str | None, ...]:
        self._welcome_newcomers()
        self._keep()
        self._trim()
        self._place_the_rest()
        return tuple(self._owners)

    def _welcome_newcomers(self) -> None:
        """What has no owner they get by the ring. Of the others no more than the average moves for each newcomer, with
        what the smaller bound drives out anyway; so that is taken first."""
        liked = [partition for partition in range(len(self._owners)) if self._liked(partition) in self._newcomers]
        held: Counter[str | None] = Counter(host for host in self._current if host in self._loads)
        surplus = Counter({host: load - self._bound for host, load in held.items() if load > self._bound})
        average = -(-len(self._owners) // len(self._loads))
        may_move = average * len(self._newcomers) - surplus.total()
        may_stay: list[int] = []
        for partition in liked:
            host, wish = self._current[partition], self._liked(partition)
            if host in self._loads and host != wish and not surplus[host]:
                may_stay.append(partition)
            elif self._loads[wish] < self._bound:
                self._take(partition, wish)
                if surplus[host]:
                    surplus[host] -= 1
        for partition in may_stay:
            wish = self._liked(partition)
            if may_move > 0 and self._loads[wish] < self._bound:
                self._take(partition, wish)
                may_move -= 1

    def _keep(self) -> None:
        for partition, host in enumerate(self._current):
            if host in self._loads and self._owners[partition] is None:
                self._take(partition, host)

    def _trim(self) -> None:
        owned: dict[str, list[int]] = {host: [] for host, load in self._loads.items() if load > self._bound}
        for partition, host in enumerate(self._owners):
            if host in owned:
                owned[host].append(partition)
        for host, partitions in owned.items():
            partitions.sort(key=lambda partition: (self._liked(partition) == host, partition))
            for partition in partitions[: self._loads[host] - self._bound]:
                self._owners[partition] = None
            self._loads[host] = self._bound

    def _place_the_rest(self) -> None:
        for partition, host in enumerate(self._owners):
            if host is None:
                self._take(partition, self._first_with_room(self._starts[partition]))

    def _first_with_room(self, start: int) -> str:
        """There always is one: bound x hosts >= partitions."""
        at = start
        while self._loads[self._hosts_along[at]] >= self._bound:
            at = (at + 1) % len(self._hosts_along)
        return self._hosts_along[at]

    def _take(self, partition: int, host: str) -> None:
        self._owners[partition] = host
        self._loads[host] += 1

    def _liked(self, partition: int) -> str:
        return self._hosts_along[self._starts[partition]]

    def _start(self, partition: int) -> int:
        return bisect_left(self._points, hash64(f"partition/{partition}")) % len(self._points)


def hash64(key: str) -> int:
    """64 bits, because two points that collide would make the ring depend on the order of its hosts."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")


def _ring(hosts: Collection[str]) -> tuple[list[int], list[str]]:
    """Points in order and the host of each."""
    ring = HashRing(sorted(hosts), hash_fn=hash64, vnodes=POINTS_PER_HOST)
    pairs = cast("list[tuple[int, str]]", ring.get_points())  # pyright: ignore[reportUnknownMemberType] # no stubs
    return [point for point, _ in pairs], [host for _, host in pairs]
