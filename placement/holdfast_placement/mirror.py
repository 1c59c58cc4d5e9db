"""Keeps the replica's view of etcd up to date, whatever happens to etcd. While etcd is away the last view stays."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from holdfast_kit.backoff import Backoff
from holdfast_kit.clock import Clock
from holdfast_placement.etcd import Etcd, prefix_end
from holdfast_placement.etcd_errors import EtcdError, EtcdUnavailable
from holdfast_placement.etcd_watch import Batch, Watch
from holdfast_placement.health import Once
from holdfast_placement.keys import Place
from holdfast_placement.view import Applied, Entry, View
from holdfast_proto.etcd import etcd_pb2 as pb

_log = logging.getLogger(__name__)
Listener = Callable[[frozenset[Place]], None]
_FOLLOW_MAX = timedelta(seconds=30)
AWAY_AFTER = timedelta(seconds=2)  # the watch asks etcd for a sign of life each second


class Mirror:
    """Owner of the `View`. Listeners are told after every change which places it touched; they must not block."""

    def __init__(
        self, etcd: Etcd, view: View, *, clock: Clock, backoff: Callable[[], Backoff], beat: Callable[[], None]
    ) -> None:
        self.view = view
        self._etcd = etcd
        self._clock = clock
        self._backoff = backoff
        self._beat = beat
        self._listeners: list[Listener] = []
        self._loaded = asyncio.Event()
        self._once = Once(clock)

    @property
    def is_loaded(self) -> bool:
        """Whether etcd could be read at least once; it may be away by now."""
        return self._loaded.is_set()

    @property
    def is_etcd_away(self) -> bool:
        return self._etcd.silence() > AWAY_AFTER

    async def loaded(self) -> None:
        await self._loaded.wait()

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def run(self) -> None:
        """Until cancelled."""
        backoff = self._backoff()
        while True:
            self._beat()
            try:
                await self.load()
                backoff.reset()
                await self.follow()
            except EtcdError as error:
                self._report(error)
                await self._clock.sleep(backoff.next())

    async def load(self) -> None:
        """Read everything anew."""
        root = self.view.keys.root
        listing = await self._etcd.range(root, prefix_end(root))
        entries = [_entry(kv) for kv in listing.kvs]
        self._take(self.view.restart(entries, listing.header.revision))
        self._loaded.set()
        self._once.forget("etcd")

    async def follow(self) -> None:
        """Apply changes as they come, for a while: then read everything anew.

        An etcd that was started again empty and has passed our revision before the watch is back looks like one that
        never went away.
        """
        watch = Watch(
            self._etcd,
            self.view.keys.root,
            start=self.view.revision + 1,
            clock=self._clock,
            backoff=self._backoff(),
            beat=self._beat,
        )
        try:
            async with asyncio.timeout(_FOLLOW_MAX.total_seconds()):
                await watch.run(self._deliver)
        except TimeoutError:
            return

    def _deliver(self, batch: Batch) -> None:
        self._take(self.view.apply(map(_changed, batch.events), batch.revision))

    def _take(self, applied: Applied) -> None:
        for foreign in applied.foreign:
            if self._once.is_new(foreign.key, foreign.reason):
                _log.warning(
                    "foreign key in etcd ignored",
                    extra={"key": foreign.key.decode(errors="replace"), "reason": foreign.reason},
                )
        if applied.places:
            for listener in self._listeners:
                listener(applied.places)

    def _report(self, error: EtcdError) -> None:
        if self._once.is_new("etcd", type(error)):
            level = logging.WARNING if isinstance(error, EtcdUnavailable) else logging.ERROR
            _log.log(level, "etcd cannot be followed, the last view stays in force", extra={"reason": str(error)})


def _entry(kv: pb.KeyValue) -> Entry:
    return Entry(kv.key, kv.value, kv.mod_revision, kv.lease)


def _changed(event: pb.Event) -> Entry:
    if event.type == pb.Event.Type.DELETE:
        return Entry(event.kv.key, None, event.kv.mod_revision)
    return _entry(event.kv)
