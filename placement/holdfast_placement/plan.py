"""What the leader should write next. Pure: any replica comes to the same answer from the same view."""

from dataclasses import dataclass, replace

from holdfast_placement.assignment import assign
from holdfast_placement.keys import TablePlace
from holdfast_placement.table import AppKey, Host, Table, empty, moved, serving
from holdfast_placement.view import View


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that decides the next table of an app; may be handed to another thread."""

    app: AppKey
    partitions: int
    hosts: tuple[Host, ...]  # sorted; guests, too
    table: Table | None
    table_revision: int  # what etcd must still say when the next table is written; 0: there is none
    floor: int
    version_seen: int  # the highest version anybody may have seen, so the next is above it

    @property
    def is_due(self) -> bool:
        """Whether the stored table no longer fits."""
        if self.table is None:
            return bool(self.hosts)
        return self.table.hosts != self.hosts or any(
            row.host is not None and row.epoch <= self.floor for row in self.table.rows
        )

    @property
    def is_behind(self) -> bool:
        """Whether the stored table is older than one that was seen before: etcd was restored or replaced."""
        return self.table is not None and self.table.version < self.version_seen


def situation(view: View, app: AppKey) -> Situation | None:
    """None when nothing can be planned: nobody ever joined, or the partition count contradicts the table."""
    stored = view.tables.get(app)
    table = stored.value if stored else None
    partitions = view.partitions.get(app.namespace) or (table.partitions if table else None)
    if partitions is None or (table is not None and table.partitions != partitions):
        return None
    members = view.members_of(app).values()
    return Situation(
        app=app,
        partitions=partitions,
        hosts=tuple(sorted(replace(each.value.host, is_guest=not each.value.serving) for each in members)),
        table=table,
        table_revision=stored.mod_revision if stored else view.unreadable.get(TablePlace(app), 0),
        floor=view.floors.get(app, 0),
        version_seen=max(view.versions.get(app, 0), 0 if table else view.revision),
    )


def next_table(now: Situation) -> Table:
    """The table that fits, its version above all that anybody may have seen.

    An app without a stored table starts from etcd's revision: should its table have been deleted, the revision has
    grown at least as much as its versions had. Where versions outran the revision, the floor that made them is stored.
    """
    table = now.table or empty(now.app, now.partitions)
    owners = assign(
        now.partitions,
        serving(now.hosts),
        current=[row.host for row in table.rows],
        settled=serving(table.hosts),
    )
    version = max(table.version, now.floor, now.version_seen) + 1
    return moved(table, now.hosts, owners=owners, version=version, floor=now.floor)
