"""The tables as they go out: each version is put into bytes once, whatever the number of sidecars."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from holdfast_placement.table import AppKey, Table, diff, encode
from holdfast_proto.v1 import placement_pb2 as pb

_RECENT_MAX = 8  # a sidecar that is further behind gets the whole table


@dataclass(slots=True)
class _Channel:
    table: Table
    recent: OrderedDict[int, Table] = field(default_factory=OrderedDict[int, Table])
    frames: dict[int, bytes] = field(default_factory=dict[int, bytes])  # by the version they start from, -1 for whole

    def replace(self, table: Table) -> bool:
        if table.version <= self.table.version:
            return False
        self.recent[self.table.version] = self.table
        while len(self.recent) > _RECENT_MAX:
            self.recent.popitem(last=False)
        self.table = table
        self.frames.clear()
        return True

    def frame(self, since: int | None) -> bytes:
        key = since if since is not None and since in self.recent else -1
        if key not in self.frames:
            self.frames[key] = self._made(key)
        return self.frames[key]

    def _made(self, since: int) -> bytes:
        whole = pb.ToHost(table=encode(self.table)).SerializeToString()
        if since < 0:
            return whole
        small = pb.ToHost(diff=diff(self.recent[since], self.table)).SerializeToString()
        return min(small, whole, key=len)


class Hub:
    """Subscribers are woken when their table is another one; they ask for the frame when they can send it.

    So a slow sidecar skips versions instead of filling a queue.
    """

    def __init__(self) -> None:
        self._channels: dict[AppKey, _Channel] = {}
        self._subscribers: dict[AppKey, dict[Callable[[], None], None]] = {}  # woken in the order in which they came

    def table(self, app: AppKey) -> Table | None:
        """The last one published; it stays when etcd loses it."""
        channel = self._channels.get(app)
        return channel.table if channel else None

    def publish(self, table: Table) -> bool:
        """Whether it is news: a version not above the last one is not sent to anybody."""
        channel = self._channels.get(table.app)
        if channel is None:
            self._channels[table.app] = _Channel(table)
        elif not channel.replace(table):
            return False
        for wake in self._subscribers.get(table.app, ()):
            wake()
        return True

    def frame(self, app: AppKey, since: int | None) -> tuple[int, bytes] | None:
        """The version now and the bytes that bring a sidecar there; None when it is there, or nothing was published."""
        channel = self._channels.get(app)
        if channel is None or since == channel.table.version:
            return None
        return channel.table.version, channel.frame(since)

    def subscribe(self, app: AppKey, wake: Callable[[], None]) -> None:
        self._subscribers.setdefault(app, {})[wake] = None

    def unsubscribe(self, app: AppKey, wake: Callable[[], None]) -> None:
        subscribers = self._subscribers.get(app, {})
        subscribers.pop(wake, None)
        if not subscribers:
            self._subscribers.pop(app, None)
