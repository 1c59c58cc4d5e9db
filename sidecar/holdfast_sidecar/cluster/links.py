"""The streams between sidecars: one per pair, opened by the host with the smaller id, kept open for ever.

Both sides greet. Whoever accepts learns who called from the greeting and, with TLS, from the certificate: a host of
another namespace, app or trust domain is not talked to, and is told why. An idle link sends an empty frame now and
then: where nothing at all is heard any more, the link is given up and made anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from holdfast_kit.backoff import Backoff
from holdfast_kit.clock import Clock
from holdfast_kit.ids import Ids
from holdfast_placement.table import Host as Member
from holdfast_placement.table import Table
from holdfast_sidecar.cluster.outgoing import ITEMS_MAX
from holdfast_sidecar.cluster.peer import Local, Peer
from holdfast_sidecar.cluster.placement_stream import Me
from holdfast_sidecar.cluster.router import ClusterRouter
from holdfast_sidecar.cluster.wire import Broken, Dial, Wire
from holdfast_sidecar.cluster.words import PROTOCOL, BadFrame, Frame, Greeting, decode_frame, encode_frame

_log = logging.getLogger(__name__)

GREETING_TIMEOUT = 5.0
QUIET = 3.0  # seconds without anything to say, after which an empty frame says that we are there
SILENT = 10.0  # seconds after which a peer that says nothing at all is taken for gone
# Seconds after a frame of several items until the next: a link that is busy sends fewer, larger ones, and what they
# set off goes together from then on, at workers and in the store. A frame of one item is followed at once: whoever is
# alone waits for nobody.
GATHER = 0.01
_EXPECTED = (Broken, BadFrame)


class Links:
    """Knows the peers of the table, keeps a stream to each, and tells the router who is there."""

    def __init__(
        self,
        me: Me,
        *,
        local: Local,
        router: ClusterRouter,
        dial: Dial,
        clock: Clock,
        ids: Ids,
        identity: Callable[[Sequence[str]], str | None],
    ) -> None:
        self._me = me
        self._local = local
        self._router = router
        self._call = dial
        self._clock = clock
        self._ids = ids
        self._identity = identity  # why a certificate with these names does not fit; None when it does
        self._members: dict[str, Member] = {}
        self._peers: dict[str, Peer] = {}
        self._wakes: dict[str, asyncio.Event] = {}
        self._streams: dict[str, object] = {}
        self._broken: dict[str, str] = {}  # why the last link to a peer broke, until there is another
        self._told = set[str]()  # why peers were refused, since the last table
        self._dialers: dict[str, asyncio.Task[None]] = {}
        self._resting: dict[str, tuple[asyncio.Event, Backoff]] = {}  # dialers between two tries
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            for host_id in self._peers:
                self._dial(host_id)
            await asyncio.Event().wait()

    def use(self, table: Table) -> None:
        """Peers come and go with the table's members; a restarted process is a new peer under an old id."""
        self._told.clear()
        members = {member.id: member for member in table.hosts if member.id != self._me.host_id}
        for host_id, member in list(self._members.items()):
            new = members.get(host_id)
            if new is None or new.incarnation != member.incarnation:
                self._forget(host_id)
        for host_id, member in members.items():
            if host_id not in self._members:
                self._meet(member)
        for wake, backoff in self._resting.values():
            backoff.reset()
            wake.set()

    def _meet(self, member: Member) -> None:
        self._members[member.id] = member
        self._wakes[member.id] = wake = asyncio.Event()
        self._peers[member.id] = peer = Peer(member.id, self._local, wake=wake.set)
        self._router.add_peer(peer)
        self._dial(member.id)

    def _dial(self, host_id: str) -> None:
        if self._group is not None and self._me.host_id < host_id and host_id not in self._dialers:
            self._dialers[host_id] = self._group.create_task(self._keep_dialed(host_id), name=f"peer {host_id}")

    def _forget(self, host_id: str) -> None:
        del self._members[host_id]
        self._broken.pop(host_id, None)
        dialer = self._dialers.pop(host_id, None)
        if dialer is not None:
            dialer.cancel()
        self._streams.pop(host_id, None)
        self._peers.pop(host_id)
        self._wakes.pop(host_id).set()
        self._router.peer_gone(host_id)

    # -- calling ---------------------------------------------------------------------------------------------------

    async def _keep_dialed(self, host_id: str) -> None:
        backoff = Backoff(self._ids.random(), base=timedelta(milliseconds=20), cap=timedelta(seconds=1))
        while host_id in self._members:
            try:
                async with self._call(self._members[host_id].address) as wire:
                    if (problem := self._identity(wire.names)) is not None:
                        raise Broken(problem)
                    wire.let_in()
                    await wire.write(encode_frame(Frame(greeting=self._greeting())))
                    await self._converse(host_id, wire, backoff)
            except _EXPECTED as error:
                self._say_broken(host_id, error)
            await self._rest(host_id, backoff)

    async def _rest(self, host_id: str, backoff: Backoff) -> None:
        """Until the next try. A new table may be the one that the peer waits for to let us in."""
        wake = asyncio.Event()
        self._resting[host_id] = (wake, backoff)
        rested = self._clock.call_later(backoff.next(), wake.set)
        try:
            await wake.wait()
        finally:
            rested.cancel()
            del self._resting[host_id]

    def _say_broken(self, host_id: str, error: Exception) -> None:
        """Once for each cause in a row: a peer that is away, or refuses us, is called again every second."""
        text = str(error)
        if self._broken.get(host_id) != text:
            self._broken[host_id] = text
            level = logging.WARNING if isinstance(error, BadFrame) else logging.INFO
            _log.log(level, "link to a peer broke", extra={"peer": host_id, "error": text[:200]})

    # -- being called ----------------------------------------------------------------------------------------------

    async def accept(self, wire: Wire) -> None:
        problem = self._identity(wire.names)
        greeting = None if problem is not None else await _greeted(wire)
        problem = problem or self._problem(greeting)
        if greeting is None or problem is not None:
            self._tell_once(problem or "no greeting")
            return await wire.write(encode_frame(Frame(refused=problem)))
        wire.let_in()
        await wire.write(encode_frame(Frame(greeting=self._greeting())))
        await self._converse(greeting.host_id, wire, None)

    def _tell_once(self, problem: str) -> None:
        """Whoever is refused tries again for ever; the log shall not show it every time."""
        if problem not in self._told:
            self._told.add(problem)
            _log.warning("refused a peer", extra={"reason": problem})

    def _problem(self, greeting: Greeting | None) -> str | None:
        me = self._me
        if greeting is None:
            return "expected a greeting first"
        if greeting.protocol != PROTOCOL:
            return f"peer protocol: expected {PROTOCOL}, found {greeting.protocol}; run sidecars of one release"
        if (greeting.namespace, greeting.app_id) != me.app:
            return f"this sidecar serves {me.app}, not {greeting.namespace}/{greeting.app_id}"
        if greeting.partitions != me.partitions:
            return f"partition count: expected {me.partitions}, found {greeting.partitions}"
        if greeting.host_id not in self._members:
            return f"host {greeting.host_id!r} is in no table known here yet; try again"
        if self._members[greeting.host_id].incarnation != greeting.incarnation:
            return f"host {greeting.host_id!r} is another process than the one in the table; try again"
        return None

    def _greeting(self) -> Greeting:
        me = self._me
        return Greeting(PROTOCOL, me.app.namespace, me.app.app_id, me.host_id, me.incarnation, me.partitions)

    # -- both ------------------------------------------------------------------------------------------------------

    async def _converse(self, host_id: str, wire: Wire, backoff: Backoff | None) -> None:
        """Until either side is gone. A newer stream of the same peer takes the place of an older one."""
        peer, wake, stream = self._peers[host_id], self._wakes[host_id], object()
        self._streams[host_id] = stream
        wake.set()  # whoever wrote to the older one ends: what it took from here on would be lost with it
        if peer.is_connected:
            peer.broken()
        ended = asyncio.Event()
        failures = list[Exception]()  # kept out of the group: one that failed forgets that it was cancelled meanwhile

        async def read() -> None:
            try:
                while True:
                    frame = decode_frame(await _heard(wire))
                    if self._is_old(host_id, stream):
                        return
                    if frame.refused is not None:
                        raise Broken(frame.refused)
                    if frame.greeting is not None and not peer.is_connected:
                        self._connected(host_id, peer, backoff)
                    peer.take(frame)
            except _EXPECTED as error:
                failures.append(error)
            finally:
                ended.set()
                wake.set()

        if backoff is None:
            self._connected(host_id, peer, None)
        try:
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(read())
                try:
                    await self._write_all(peer, wake, lambda: ended.is_set() or self._is_old(host_id, stream), wire)
                except _EXPECTED as error:
                    failures.append(error)
                reader.cancel()
        finally:
            if not self._is_old(host_id, stream):
                del self._streams[host_id]
                peer.broken()
        for failure in failures[:1]:
            self._say_broken(host_id, failure)

    def _is_old(self, host_id: str, stream: object) -> bool:
        return self._streams.get(host_id) is not stream

    async def _write_all(self, peer: Peer, wake: asyncio.Event, has_ended: Callable[[], bool], wire: Wire) -> None:
        while not has_ended():
            frame = peer.next_frame() if peer.is_connected else None
            if frame is None:
                wake.clear()
                try:
                    async with asyncio.timeout(QUIET):
                        await wake.wait()
                    continue
                except TimeoutError:
                    frame = Frame()
            await wire.write(encode_frame(frame))
            if 1 < frame.items < ITEMS_MAX:
                await self._clock.sleep(GATHER)

    def _connected(self, host_id: str, peer: Peer, backoff: Backoff | None) -> None:
        peer.connected()
        self._broken.pop(host_id, None)
        if backoff is not None:
            backoff.reset()
        self._router.peer_connected(host_id)
        _log.info("linked with a peer", extra={"peer": host_id})


async def _greeted(wire: Wire) -> Greeting | None:
    try:
        async with asyncio.timeout(GREETING_TIMEOUT):
            return decode_frame(await wire.read()).greeting
    except (TimeoutError, BadFrame):
        return None


async def _heard(wire: Wire) -> bytes:
    try:
        async with asyncio.timeout(SILENT):
            return await wire.read()
    except TimeoutError as error:
        raise Broken(f"heard nothing for {SILENT:g} s") from error
