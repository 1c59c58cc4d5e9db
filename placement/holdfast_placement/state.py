"""What the page, the JSON and the metrics show: plain values, gathered when somebody asks. Pure."""

from dataclasses import dataclass

from holdfast_kit.clock import to_datetime
from holdfast_placement.records import Leader
from holdfast_placement.stats import Move, Stats
from holdfast_placement.table import AppKey, Table
from holdfast_placement.view import View


@dataclass(frozen=True, slots=True)
class HostState:
    id: str
    address: str
    incarnation: str
    serving: bool
    replica_id: str
    joined_at_ms: int
    partitions: int


@dataclass(frozen=True, slots=True)
class AppState:
    partitions: int
    version: int
    hosts: tuple[HostState, ...]
    table: Table | None

    @property
    def serving(self) -> int:
        return sum(host.serving for host in self.hosts)

    @property
    def unowned(self) -> int:
        return sum(row.host is None for row in self.table.rows) if self.table else self.partitions


@dataclass(frozen=True, slots=True)
class State:
    replica_id: str
    is_leader: bool
    leader: Leader | None
    is_loaded: bool
    etcd_silence_s: float
    loop_lag_s: float
    hosts_connected: int
    revision: int
    apps: dict[AppKey, AppState]
    moves: tuple[Move, ...]


def gather(
    view: View,
    stats: Stats,
    *,
    replica_id: str,
    is_leader: bool,
    is_loaded: bool,
    etcd_silence_s: float,
    hosts_connected: int,
) -> State:
    return State(
        replica_id=replica_id,
        is_leader=is_leader,
        leader=view.leader.value if view.leader else None,
        is_loaded=is_loaded,
        etcd_silence_s=etcd_silence_s,
        loop_lag_s=stats.loop_lag_seconds,
        hosts_connected=hosts_connected,
        revision=view.revision,
        apps={app: _app(view, app) for app in sorted(view.apps())},
        moves=tuple(reversed(stats.moves)),
    )


def as_json(state: State) -> dict[str, object]:
    """Names as in the code; partitions that belong to a host as ranges, so that a thousand stay readable."""
    return {
        "replica_id": state.replica_id,
        "is_leader": state.is_leader,
        "leader": state.leader
        and {
            "replica_id": state.leader.replica_id,
            "http_address": state.leader.http_address,
            "elected_at": shown_at(state.leader.elected_at_ms),
        },
        "is_loaded": state.is_loaded,
        "etcd": {"silence_ms": round(state.etcd_silence_s * 1000), "revision": state.revision},
        "loop_lag_ms": round(state.loop_lag_s * 1000, 1),
        "hosts_connected": state.hosts_connected,
        "apps": [_app_json(app, each) for app, each in state.apps.items()],
        "moves": [_move_json(move) for move in state.moves],
    }


def shown_at(at_ms: int) -> str:
    return to_datetime(at_ms * 1_000_000).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ranges(numbers: list[int]) -> list[list[int]]:
    """Sorted numbers as [first, last] pairs: 1, 2, 3, 7 is [[1, 3], [7, 7]]."""
    found = list[list[int]]()
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def _app(view: View, app: AppKey) -> AppState:
    stored = view.tables.get(app)
    table = stored.value if stored else None
    loads = table.loads() if table else {}
    hosts = tuple(
        HostState(
            id=member.value.host.id,
            address=member.value.host.address,
            incarnation=member.value.host.incarnation,
            serving=member.value.serving,
            replica_id=member.value.replica_id,
            joined_at_ms=member.value.joined_at_ms,
            partitions=loads.get(member.value.host.id, 0),
        )
        for _, member in sorted(view.members_of(app).items())
    )
    partitions = view.partitions.get(app.namespace, table.partitions if table else 0)
    return AppState(partitions, table.version if table else 0, hosts, table)


def _app_json(app: AppKey, state: AppState) -> dict[str, object]:
    owned = {host.id: ranges(sorted(state.table.owned(host.id))) for host in state.hosts} if state.table else {}
    return {
        "namespace": app.namespace,
        "app_id": app.app_id,
        "partitions": state.partitions,
        "unowned": state.unowned,
        "table_version": state.version,
        "hosts": [
            {
                "id": host.id,
                "address": host.address,
                "incarnation": host.incarnation,
                "serving": host.serving,
                "replica_id": host.replica_id,
                "joined_at": shown_at(host.joined_at_ms),
                "partitions": host.partitions,
                "owned": owned.get(host.id, []),
            }
            for host in state.hosts
        ],
    }


def _move_json(move: Move) -> dict[str, object]:
    return {
        "at": shown_at(move.at_ms),
        "namespace": move.app.namespace,
        "app_id": move.app.app_id,
        "table_version": move.version,
        "joined": list(move.joined),
        "left": list(move.left),
        "partitions_moved": move.partitions,
        "moves": [
            {"from": source, "to": target, "partitions": count} for (source, target), count in move.counts.items()
        ],
    }
