"""Bugs on purpose. Each takes away one promise of the engine; some world must notice."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from holdfast_proto.codec import decode_event, encode_event
from holdfast_proto.history import EventReceived
from holdfast_sidecar.actors.committer import Committer, Landed
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.ports import Reply, no_reply
from holdfast_sidecar.core.messages import Deliver, Message
from holdfast_sidecar.core.state import Commit, Reminder
from holdfast_sidecar.reminders.loop import ReminderLoop
from holdfast_sidecar.stores.contract import Outcome, Store
from tests.simulation.disk import Disk
from tests.simulation.process import Process, SimRouter


class HastyCommitter(Committer):
    """Says that a commit is applied, and writes it later."""

    def submit(self, commit: Commit, landed: Landed, *, is_urgent: bool = False) -> None:
        super().submit(commit, lambda _: None, is_urgent=is_urgent)
        landed(Outcome.APPLIED)


class SendsBeforeCommit(Process):
    def make_host(self, store: Store) -> Host:
        host = super().make_host(store)
        host.committer = HastyCommitter(store, self.clock, under_way=host.pool.running)
        return host


class HastyRouter(SimRouter):
    """Answers callers at once, and asks the owner later."""

    def ask(self, message: Message, reply: Reply) -> None:
        super().ask(message, no_reply)
        self._clock.call_later(0.001, lambda: reply(None))


class AnswersBeforeDurable(Process):
    def make_router(self) -> SimRouter:
        return HastyRouter(self.host, journal=self._journal, clock=self.clock, rng=self._rng, weather=self._weather)


class ForgetfulLoop(ReminderLoop):
    """Loses every third reminder that a commit makes."""

    _puts = 0

    def put(self, reminder: Reminder) -> None:
        self._puts += 1
        if self._puts % 3:
            super().put(reminder)
        else:
            self.forget(reminder.instance_id, reminder.name)


class LosesReminders(Process):
    def make_host(self, store: Store) -> Host:
        host = super().make_host(store)
        host.reminders = ForgetfulLoop(store, self.clock, fire=host.fire, partition_of=host.partition_of)
        return host


class ForgetfulRouter(SimRouter):
    """Gives every sending of an event another name, so that the second one looks new."""

    def _retell(self, message: Message) -> Message:
        event = decode_event(message.event) if isinstance(message, Deliver) else None
        if not isinstance(event, EventReceived):
            return message
        renamed = EventReceived(
            at=event.at, name=event.name, input=event.input, source=f"{event.source}/{self._rng.random()}"
        )
        return Deliver(instance_id=message.instance_id, event=encode_event(renamed), is_required=False)

    def ask(self, message: Message, reply: Reply) -> None:
        super().ask(self._retell(message), reply)

    def _deliver(self, message: Message, reply: Reply, delay: float) -> None:
        super()._deliver(self._retell(message), reply, delay)


class KnowsNoDuplicates(Process):
    def make_router(self) -> SimRouter:
        return ForgetfulRouter(self.host, journal=self._journal, clock=self.clock, rng=self._rng, weather=self._weather)


class OpenDisk(Disk):
    """A store without fences."""

    def apply(self, commit: Commit) -> Outcome:
        fences, self.memory.fences = self.memory.fences, {}
        try:
            return super().apply(commit)
        finally:
            self.memory.fences = fences


class HasNoFences(Process):
    disk_type = OpenDisk


class UnversionedDisk(Disk):
    """A store that takes every commit, whatever was there before."""

    def apply(self, commit: Commit) -> Outcome:
        cell = self.memory.cells.get(commit.instance_id)
        if cell is not None and commit.expected_version and commit.record is not None:
            cell.record = replace(cell.record, version=commit.expected_version)
        return super().apply(commit)


class HasNoVersions(Process):
    disk_type = UnversionedDisk


class SleepyHost(Host):
    """Does not look at what was in flight when it takes over."""

    def fire(self, reminder: Reminder) -> None:
        if reminder.due_at:
            super().fire(reminder)


class RecoversNothing(Process):
    host_type = SleepyHost


class TornDisk(Disk):
    """Writes commits without their reminders now and then."""

    def apply(self, commit: Commit) -> Outcome:
        if self._rng.random() < 0.05 and commit.record is not None:
            commit = replace(commit, reminders_put=())
        return super().apply(commit)


class TearsCommits(Process):
    disk_type = TornDisk


PLANTED: Sequence[type[Process]] = (
    SendsBeforeCommit,
    AnswersBeforeDurable,
    LosesReminders,
    KnowsNoDuplicates,
    HasNoFences,
    HasNoVersions,
    RecoversNothing,
    TearsCommits,
)
