"""Bugs on purpose in clusters. Each takes away one promise; some world must notice."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast_sidecar.actors.engine import Asking
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.ports import Reply, no_reply
from holdfast_sidecar.cluster.router import ClusterRouter
from holdfast_sidecar.core.messages import Message
from holdfast_sidecar.stores.contract import Store
from tests.simulation.cluster.member import Member
from tests.simulation.planted import ForgetfulLoop, HastyCommitter, OpenDisk, SleepyHost


class HasNoFences(Member):
    """A store that takes the commits of owners of the past."""

    disk_type = OpenDisk


class RecoversNothing(Member):
    """What was in flight in a partition that came is not looked at."""

    host_type = SleepyHost


class SendsBeforeCommit(Member):
    def make_host(self, store: Store) -> Host:
        host = super().make_host(store)
        host.committer = HastyCommitter(store, self.clock, under_way=host.pool.running)
        return host


class LosesReminders(Member):
    def make_host(self, store: Store) -> Host:
        host = super().make_host(store)
        host.reminders = ForgetfulLoop(store, self.clock, fire=host.fire, partition_of=host.partition_of)
        return host


class HastyFront(ClusterRouter):
    """Answers callers at once, and asks the owner meanwhile."""

    def ask(self, message: Message, reply: Reply) -> None:
        super().ask(message, no_reply)
        reply(None)


class AnswersBeforeDurable(Member):
    def make_front(self) -> Asking:
        router = self.node.router
        router.__class__ = HastyFront
        return router


class KeepingHost(Host):
    """Goes on serving what it was told to give up."""

    def release(self, partitions: Sequence[int]) -> None:
        """Nothing is given up."""


class KeepsEverything(Member):
    host_type = KeepingHost


PLANTED: Sequence[type[Member]] = (
    HasNoFences,
    RecoversNothing,
    SendsBeforeCommit,
    LosesReminders,
    AnswersBeforeDurable,
    KeepsEverything,
)
