"""What a replica counts, for `/metrics` and the page. Plain numbers; one event loop writes them."""

from collections import Counter, deque
from dataclasses import dataclass, field

from holdfast_placement.table import AppKey

_MOVES_MAX = 100


@dataclass(frozen=True, slots=True)
class Move:
    """What one table changed. `counts` are partitions by (from, to)."""

    at_ms: int
    app: AppKey
    version: int
    joined: tuple[str, ...]
    left: tuple[str, ...]
    counts: dict[tuple[str | None, str | None], int]

    @property
    def partitions(self) -> int:
        return sum(self.counts.values())


@dataclass(slots=True)
class Stats:
    """Counters only grow; gauges are read from their owners instead."""

    elections: int = 0
    tables_written: int = 0
    tables_sent: int = 0
    table_bytes_sent: int = 0
    heartbeats: int = 0
    joins: int = 0
    leaves: int = 0
    expired: int = 0
    leases_lost: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    compute_seconds: float = 0.0
    computes: int = 0
    loop_lag_seconds: float = 0.0
    moves: deque[Move] = field(default_factory=lambda: deque[Move](maxlen=_MOVES_MAX))
    partitions_moved: int = 0

    def computed(self, seconds: float) -> None:
        self.computes += 1
        self.compute_seconds += seconds

    def moved(self, move: Move) -> None:
        """A table that only tells of a guest moves nothing."""
        if move.joined or move.left or move.counts:
            self.moves.append(move)
            self.partitions_moved += move.partitions
