"""What the placement replicas agree on: keys with revisions, guarded writes, leases. It can be away.

Each replica hears of each change in order and a little later, so two of them may see different pictures for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from holdfast_placement.view import Entry
from tests.simulation.cluster.machine import MachineLoop, nobodys

Hears = Callable[[Entry, int], None]


class Away(Exception):
    """etcd does not answer."""


@dataclass(slots=True)
class _Watch:
    hears: Hears
    lag: float = 0.0  # seconds that this replica is behind, beyond the usual
    last_at: float = 0.0


class Etcd:
    def __init__(self, loop: MachineLoop, *, rng: Random, lease: float) -> None:
        self.is_away = False
        self.lease = lease
        self._away_since = 0.0
        self._loop = loop
        self._rng = rng
        self._revision = 0
        self._entries: dict[bytes, Entry] = {}
        self._watches = list[_Watch]()
        self._alive_until: dict[bytes, float] = {}

    @property
    def silence(self) -> float:
        """Seconds for which nobody has heard from it."""
        return self._loop.time() - self._away_since if self.is_away else 0.0

    def leave(self) -> None:
        self.is_away, self._away_since = True, self._loop.time()

    def come_back(self) -> None:
        """Leases begin anew, as after a change of etcd's own leader."""
        self.is_away = False
        until = self._loop.time() + self.lease
        self._alive_until = dict.fromkeys(self._alive_until, until)

    # -- keys ------------------------------------------------------------------------------------------------------

    def revision_of(self, key: bytes) -> int:
        """0: there is no such key."""
        self._check()
        entry = self._entries.get(key)
        return 0 if entry is None else entry.mod_revision

    def value_of(self, key: bytes) -> bytes | None:
        self._check()
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def put(self, key: bytes, value: bytes, *, unchanged: int) -> int:
        """Writes if the key's revision is still that; gives the new one, or 0."""
        if self.revision_of(key) != unchanged:
            return 0
        self._revision += 1
        self._entries[key] = entry = Entry(key, value, self._revision)
        self._tell(entry)
        return self._revision

    def delete(self, key: bytes, *, unchanged: int) -> bool:
        if unchanged == 0 or self.revision_of(key) != unchanged:
            return False
        self._revision += 1
        del self._entries[key]
        self._alive_until.pop(key, None)
        self._tell(Entry(key, None, self._revision))
        return True

    def _check(self) -> None:
        if self.is_away:
            raise Away

    # -- leases ----------------------------------------------------------------------------------------------------

    def keep(self, key: bytes) -> None:
        """The key stays for another lease."""
        self._check()
        if key in self._entries:
            is_new = key not in self._alive_until
            self._alive_until[key] = self._loop.time() + self.lease
            if is_new:
                self._look_at(key, self.lease)

    def _look_at(self, key: bytes, delay: float) -> None:
        self._loop.call_later(delay, self._expire, key, context=nobodys())

    def _expire(self, key: bytes) -> None:
        left = self._alive_until.get(key, 0.0) - self._loop.time()
        if key not in self._entries or key not in self._alive_until:
            return
        if self.is_away or left > 0:
            self._look_at(key, max(left, 0.5))
        else:
            self.delete(key, unchanged=self.revision_of(key))

    # -- who looks on ----------------------------------------------------------------------------------------------

    def watch(self, hears: Hears) -> None:
        self._watches.append(_Watch(hears))

    def delay(self, number: int, seconds: float) -> None:
        """From now on that replica hears of everything so much later."""
        self._watches[number].lag = seconds

    def _tell(self, entry: Entry) -> None:
        for watch in self._watches:
            at = max(watch.last_at, self._loop.time() + watch.lag + self._rng.random() * 0.02)
            watch.last_at = at + 1e-6
            self._loop.call_at(at, watch.hears, entry, self._revision, context=nobodys())
