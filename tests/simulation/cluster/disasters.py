"""What befalls a cluster. Each disaster ends by itself; the clear sky ends all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast_sidecar.stores.faults import Chances

if TYPE_CHECKING:
    from tests.simulation.cluster.member import Member
    from tests.simulation.cluster.world import ClusterWorld

HOSTS_MAX = 4


def plan(world: ClusterWorld) -> None:
    """How many there are, of which kinds, and when: drawn before anything happens."""
    climate, rng = world.climate, world.rng
    at = 0.5
    while True:
        at += rng.expovariate(climate.disasters)
        if at > climate.seconds:
            return
        kind = rng.choice((join, leave)) if climate.only_moves else rng.choices(_KINDS, _WEIGHTS)[0]
        world.later(at, _bound(kind, world))


def _bound(kind: Callable[[ClusterWorld], None], world: ClusterWorld) -> Callable[[], None]:
    return lambda: kind(world)


def _any(world: ClusterWorld) -> Member | None:
    living = world.living
    return world.rng.choice(living) if living else None


# -- hosts ---------------------------------------------------------------------------------------------------------


def crash(world: ClusterWorld) -> None:
    if (member := _any(world)) is not None:
        member.crash()
        world.later(world.rng.random() * 5, lambda: join(world))


def join(world: ClusterWorld) -> None:
    if not world.is_clear and len(world.living) < HOSTS_MAX:
        world.boot()


def leave(world: ClusterWorld) -> None:
    if len(world.staying) > 1 and (member := _any(world)) is not None:
        member.leave()
        world.later(world.rng.random() * 5, lambda: join(world))


def stand_still(world: ClusterWorld) -> None:
    """Often for longer than a lease: a zombie comes back with all that it had in flight."""
    member, rng = _any(world), world.rng
    if member is None or member.is_paused:
        return
    member.pause()
    seconds = rng.choice([0.5, 2.0, 5.0, 10.0]) * (0.5 + rng.random())
    if seconds > 4 and rng.random() < 0.5:  # its connections may have been given up by then
        world.later(seconds * rng.random(), lambda: world.network.break_all(member.name))
    world.later(seconds, member.resume)


def store_away(world: ClusterWorld) -> None:
    """One host does not reach the store."""
    if (member := _any(world)) is None:
        return
    usual = member.store.plan
    member.store.plan = Chances(rng=world.rng, fail=0.8, lose=0.1)
    world.note(member.name, "does not reach the store")

    def back() -> None:
        if not world.is_clear:
            member.store.plan = usual

    world.later(world.rng.random() * 4, back)


def part(world: ClusterWorld) -> None:
    """Workers come and go; now and then the last one of a host, for longer than it waits for one."""
    member, rng = _any(world), world.rng
    if member is None:
        return
    for worker in list(member.workers):
        if rng.random() < 0.7:
            member.disconnect(worker)
    world.later(rng.choice([0.5, 2.0, 8.0]) * rng.random(), lambda: world.connect(member))


# -- the network ---------------------------------------------------------------------------------------------------


def cut_peers(world: ClusterWorld) -> None:
    living = world.living
    if len(living) > 1:
        one, other = world.rng.sample(living, 2)
        _cut(world, one.name, other.name)


def cut_placement(world: ClusterWorld) -> None:
    """From one replica, or from all of them."""
    member, rng = _any(world), world.rng
    if member is None:
        return
    replicas = list(world.placement.replicas)
    for replica in replicas if rng.random() < 0.7 else [rng.choice(replicas)]:
        _cut(world, member.name, replica.name)


def _cut(world: ClusterWorld, one: str, other: str) -> None:
    """Both ways, or one way only."""
    rng = world.rng
    ways = rng.choice([[(one, other), (other, one)], [(one, other)], [(other, one)]])
    seconds = rng.choice([0.5, 3.0, 8.0]) * (0.5 + rng.random())
    for source, target in ways:
        world.note("network", f"{source} does not reach {target}")
        world.network.cut(source, target)
        world.later(seconds, _healing(world, source, target))


def _healing(world: ClusterWorld, source: str, target: str) -> Callable[[], None]:
    return lambda: world.network.heal(source, target)


def reset(world: ClusterWorld) -> None:
    """All connections of a host break."""
    if (member := _any(world)) is not None:
        world.note("network", f"connections of {member.name} break")
        world.network.break_all(member.name)


# -- placement -----------------------------------------------------------------------------------------------------


def etcd_away(world: ClusterWorld) -> None:
    world.note("etcd", "away")
    world.placement.etcd.leave()
    world.later(world.rng.random() * 8, world.placement.etcd_back)


def leader_lost(world: ClusterWorld) -> None:
    """Nobody leads for a while; then one of them, or two that both believe it."""
    world.placement.lead()
    world.later(world.rng.random() * 5, lambda: world.placement.lead(*world.rng.choice([[0], [1], [0, 1]])))


def replica_down(world: ClusterWorld) -> None:
    replica = world.rng.choice(world.placement.replicas)
    if not replica.is_down:
        replica.go_down()
        world.later(world.rng.random() * 6, replica.come_back)


def placement_down(world: ClusterWorld) -> None:
    for replica in world.placement.replicas:
        if not replica.is_down:
            replica.go_down()
        world.later(world.rng.random() * 8, replica.come_back)


def replica_behind(world: ClusterWorld) -> None:
    """Two replicas show different pictures for a while."""
    number = world.rng.randrange(2)
    world.placement.etcd.delay(number, world.rng.random() * 4)
    world.later(world.rng.random() * 6, lambda: world.placement.etcd.delay(number, 0.0))


_MENU: dict[Callable[[ClusterWorld], None], int] = {
    crash: 6,
    stand_still: 5,
    leave: 3,
    join: 3,
    part: 4,
    store_away: 2,
    cut_peers: 4,
    cut_placement: 4,
    reset: 2,
    etcd_away: 2,
    leader_lost: 2,
    replica_down: 2,
    placement_down: 1,
    replica_behind: 2,
}
_KINDS, _WEIGHTS = list(_MENU), list(_MENU.values())
